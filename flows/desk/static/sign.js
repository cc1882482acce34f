// Signs what a page of filing shows, with a key file that is read here and nowhere else: it is in
// no form, and nothing of it is sent. WebCrypto, Ed25519; the file is a JWK or PKCS#8 in PEM.
"use strict";

(() => {
  const form = document.getElementById("signing");
  if (!form) return;
  const file = document.getElementById("key-file");
  const says = document.getElementById("key-says");
  const button = document.getElementById("sign");
  const words = form.dataset;

  const base64url = (bytes) =>
    btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  const utf8 = (text) => new TextEncoder().encode(text);

  class Told extends Error {}

  async function thumbprint(x) {
    // RFC 7638: the members in the order of their names.
    const text = JSON.stringify({ crv: "Ed25519", kty: "OKP", x });
    return base64url(await crypto.subtle.digest("SHA-256", utf8(text)));
  }

  async function importJwk({ kty, crv, x, d }) {
    if (kty !== "OKP" || crv !== "Ed25519" || !x || !d) throw new Told(words.noKey);
    return crypto.subtle.importKey("jwk", { kty, crv, x, d }, { name: "Ed25519" }, false, ["sign"]);
  }

  // The key and its thumbprint.
  async function read(text) {
    if (text.includes("BEGIN ENCRYPTED PRIVATE KEY")) throw new Told(words.locked);
    const pem = /-----BEGIN PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END PRIVATE KEY-----/.exec(text);
    let jwk;
    if (pem) {
      const der = Uint8Array.from(atob(pem[1].replace(/\s/g, "")), (c) => c.charCodeAt(0));
      const found = await crypto.subtle.importKey("pkcs8", der, { name: "Ed25519" }, true, ["sign"]);
      jwk = await crypto.subtle.exportKey("jwk", found);
    } else {
      jwk = JSON.parse(text);
    }
    return { key: await importJwk(jwk), id: await thumbprint(jwk.x) };
  }

  async function sign() {
    if (!file.files.length) throw new Told(words.choose);
    let found;
    try {
      found = await read(await file.files[0].text());
    } catch (error) {
      throw error instanceof Told ? error : new Told(error.name === "NotSupportedError" ? words.old : words.noKey);
    }
    if (found.id !== words.keyId) throw new Told(words.otherKey);
    const parts = ["header", "claims"].map((id) => base64url(utf8(document.getElementById(id).textContent)));
    const signature = await crypto.subtle.sign({ name: "Ed25519" }, found.key, utf8(parts.join(".")));
    form.elements.signature.value = base64url(signature);
  }

  if (!window.crypto || !crypto.subtle) {
    says.textContent = words.old;
    return;
  }
  button.disabled = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    says.textContent = "";
    try {
      await sign();
      file.value = "";
      form.submit();
    } catch (error) {
      says.textContent = error instanceof Told ? error.message : words.noKey;
      button.disabled = false;
    }
  });
})();
