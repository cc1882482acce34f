// Clips of several cameras on one clock, a frame at a time; answers by keys.
"use strict";

class Player {
  constructor(root) {
    this.root = root;
    this.fps = Number(root.dataset.fps);
    this.screens = [...root.querySelectorAll(".screen")].map((figure) => ({
      figure,
      video: figure.querySelector("video"),
      box: figure.querySelector(".mark-box"),
      start: Math.round(Number(figure.dataset.start) * this.fps),
      boxes: JSON.parse(figure.dataset.boxes),
      frames: 1,
    }));
    this.frame = 0;
    this.playing = false;
    this.controls = root.querySelector(".controls");
    this.at = root.querySelector(".at");
    this.now = root.querySelector(".now");
    this.button = root.querySelector(".play");
    for (const screen of this.screens) {
      const known = () => this.learn(screen);
      if (screen.video.readyState >= 1) known();
      else screen.video.addEventListener("loadedmetadata", known, { once: true });
    }
    root.querySelector(".back").addEventListener("click", () => this.step(-1));
    root.querySelector(".on").addEventListener("click", () => this.step(1));
    this.button.addEventListener("click", () => this.toggle());
    this.at.addEventListener("input", () => this.show(Number(this.at.value)));
  }

  // The first frames are known: the script drives the clips from here.
  learn(screen) {
    screen.video.controls = false;
    screen.frames = Math.max(1, Math.round(screen.video.duration * this.fps));
    this.last = Math.max(...this.screens.map((one) => one.start + one.frames)) - 1;
    this.at.max = String(this.last);
    this.controls.hidden = false;
    this.show(this.screens[0].start);
  }

  show(frame) {
    this.frame = Math.min(Math.max(frame, 0), this.last);
    for (const screen of this.screens) {
      const own = this.frame - screen.start;
      const inside = own >= 0 && own < screen.frames;
      screen.figure.classList.toggle("outside", !inside);
      const there = Math.min(Math.max(own, 0), screen.frames - 1);
      screen.video.currentTime = (there + 0.5) / this.fps;
      if (screen.box) this.mark(screen, inside);
    }
    this.root.dispatchEvent(new Event("frame"));
    this.at.value = String(this.frame);
    this.now.textContent = this.root.dataset.step
      .replace("%(now)s", this.frame + 1).replace("%(all)s", this.last + 1);
  }

  // Around who is asked about, between the glimpses that the question has.
  mark(screen, inside) {
    const t = this.frame / this.fps;
    const after = screen.boxes.findIndex((glimpse) => glimpse[0] >= t);
    if (!screen.boxes.length) return;
    const near = 1.5 / this.fps;
    const ends = screen.boxes[screen.boxes.length - 1];
    const shown = inside && t >= screen.boxes[0][0] - near && t <= ends[0] + near;
    screen.box.classList.toggle("gone", !shown);
    if (!shown) return;
    const b = after < 0 ? ends : screen.boxes[after];
    const a = after > 0 ? screen.boxes[after - 1] : b;
    const share = b[0] > a[0] ? Math.min(1, Math.max(0, (t - a[0]) / (b[0] - a[0]))) : 0;
    const [x0, y0, x1, y1] = [1, 2, 3, 4].map((i) => a[i] + share * (b[i] - a[i]));
    screen.box.setAttribute("x", x0);
    screen.box.setAttribute("y", y0);
    screen.box.setAttribute("width", Math.max(0, x1 - x0));
    screen.box.setAttribute("height", Math.max(0, y1 - y0));
  }

  step(by) {
    this.stop();
    this.show(this.frame + by);
  }

  stop() {
    this.playing = false;
    this.button.textContent = this.button.dataset.play;
  }

  toggle() {
    if (this.playing) { this.stop(); return; }
    this.playing = true;
    this.button.textContent = this.button.dataset.pause;
    if (this.frame >= this.last) this.show(0);
    const rate = this.root.querySelector(".rate");
    let before = performance.now();
    let owed = 0;
    const tick = (now) => {
      if (!this.playing) return;
      owed += ((now - before) / 1000) * this.fps * Number(rate.value);
      before = now;
      // A frame is shown when all clips have it: no camera runs ahead.
      if (owed >= 1 && this.screens.every((screen) => !screen.video.seeking)) {
        owed = 0;
        this.show(this.frame + 1);
        if (this.frame >= this.last) this.stop();
      }
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }
}

const player = document.querySelector(".player") && new Player(document.querySelector(".player"));
const form = document.querySelector("form.answer");
const keys = document.getElementById("keys");

if (keys) {
  keys.checked = window.localStorage.getItem("review-keys") !== "off";
  keys.addEventListener("change", () => {
    window.localStorage.setItem("review-keys", keys.checked ? "on" : "off");
  });
}

// A click on somebody fills in the form: the frame and the pixel of the camera's picture.
const pointing = document.querySelector("form.pointing");
if (player && pointing) {
  const { video, box, figure } = player.screens[0];
  const size = 24;
  let clicked = -1;
  figure.classList.add("to-click");
  video.addEventListener("click", (event) => {
    const place = video.getBoundingClientRect();
    const x = ((event.clientX - place.left) / place.width) * video.videoWidth;
    const y = ((event.clientY - place.top) / place.height) * video.videoHeight;
    clicked = player.frame;
    player.stop();
    pointing.elements.frame.value = String(clicked);
    pointing.elements.x.value = x.toFixed(1);
    pointing.elements.y.value = y.toFixed(1);
    box.setAttribute("x", x - size / 2);
    box.setAttribute("y", y - size / 2);
    box.setAttribute("width", size);
    box.setAttribute("height", size);
    box.classList.remove("gone");
  });
  player.root.addEventListener("frame", () => box.classList.toggle("gone", player.frame !== clicked));
}

function choose(key) {
  const verdict = form && form.querySelector(`input[data-key="${key}"]`);
  if (!verdict) return false;
  verdict.checked = true;
  (key === "c" ? form.querySelector("button") : form.querySelector("#reason")).focus();
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.ctrlKey && form) { form.requestSubmit(); return; }
  if (event.ctrlKey || event.altKey || event.metaKey || (keys && !keys.checked)) return;
  if (event.target.closest("textarea, select, input:not([type=radio], [type=checkbox])")) return;
  const inControl = event.target.closest("button, a, summary, input, .drawing");
  const done = {
    " ": () => player && !inControl && (player.toggle(), true),
    ArrowLeft: () => player && !inControl && (player.step(-1), true),
    ArrowRight: () => player && !inControl && (player.step(1), true),
    n: () => document.getElementById("next") && (document.getElementById("next").click(), true),
  }[event.key];
  if (done ? done() : choose(event.key)) event.preventDefault();
});
