"""The consent receipt: what the subject agreed to, and how to take it back.

JSON-LD in terms of the Data Privacy Vocabulary (DPV 2), with the fields that ISO/IEC TS 27560:2023
makes mandatory, in the mapping of the DPV group's guide; `consent_receipt.schema.json` says which.
It is made from the consent token and names nobody: the subject by pseudonym, the signer by key.
"""

from __future__ import annotations

from typing import Any

from data_contracts.authorisation import Grant
from data_contracts.record import Record

_CONTEXT = {
    "dpv": "https://w3id.org/dpv#",
    "pd": "https://w3id.org/dpv/pd#",
    "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
    "dct": "http://purl.org/dc/terms/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
_ORDINARY = ("pd:Picture", "pd:Location")
# Following by clothes and build is biometric too: docs/nevers.md.
_SPECIAL = {"face": "pd:FacialPrint", "appearance": "pd:PhysicalCharacteristic"}


class Controller(Record):
    """Who searches: name, postal address, country, and where the subject withdraws (an address, a
    number).
    """

    name: str
    address: str
    jurisdiction: str
    contact: str


def consent_receipt(consent: Grant, controller: Controller) -> dict[str, Any]:
    """The receipt of a consent whose signature was checked."""
    return {
        "@context": _CONTEXT,
        "@type": "dpv:ConsentReceipt",
        "dct:conformsTo": "ISO/IEC TS 27560:2023",
        "dpv:hasIdentifier": f"receipt-{consent.token_id}",
        "dpv:hasRecord": {
            "@type": "dpv:ConsentRecord",
            "dpv:hasIdentifier": consent.token_id,
            "dct:created": _time(consent.issued_utc.isoformat()),
            "dpv:hasDataSubject": {"@type": "dpv:Patient", "dpv:hasIdentifier": consent.subject},
            "dpv:hasConsentStatus": _status(consent),
            "dpv:hasProcess": _process(consent, controller),
            "dpv:hasEntity": {
                "@type": "dpv:DataController",
                "dpv:hasName": controller.name,
                "dpv:hasAddress": controller.address,
                "dpv:hasContact": controller.contact,
            },
        },
    }


def _status(consent: Grant) -> dict[str, Any]:
    return {
        "@type": ["dpv:ConsentGiven", "dpv:ExplicitlyExpressedConsent"],
        "dpv:isIndicatedAtTime": _time(consent.issued_utc.isoformat()),
        "dpv:isIndicatedBy": f"signed by key {consent.key_id}; {consent.legal_basis}",
        "dpv:hasExpiryTime": _time(consent.expires_utc.isoformat()),
    }


def _process(consent: Grant, controller: Controller) -> dict[str, Any]:
    everywhere = "*" in consent.cameras
    return {
        "@type": "dpv:Process",
        "dpv:hasPurpose": {
            "@type": "dpv:Purpose",
            "dct:description": f"contact tracing of case {consent.case_id} in recorded CCTV from "
            f"{consent.from_utc.isoformat()} to {consent.to_utc.isoformat()}",
        },
        "dpv:hasLegalBasis": ["dpv:ExplicitlyExpressedConsent", "eu-gdpr:A9-2-a"],
        "dpv:hasPersonalData": [
            *_ORDINARY,
            *(
                {"@id": _SPECIAL[scope], "@type": "dpv:SpecialCategoryPersonalData"}
                for scope in sorted(consent.scopes)
            ),
        ],
        "dpv:hasDataController": controller.name,
        "dpv:hasProcessing": ["dpv:Collect", "dpv:Match", "dpv:Store", "dpv:Erase"],
        "dpv:hasLocation": ["every camera of the site"]
        if everywhere
        else list(consent.cameras) or ["the cameras of an area"],
        "dpv:hasJurisdiction": controller.jurisdiction,
        "dpv:hasRecipient": [controller.name],
        "dpv:hasStorageCondition": [
            {"@type": "dpv:StorageLocation", "dpv:hasLocation": controller.jurisdiction},
            {
                "@type": "dpv:StorageDuration",
                "dpv:hasDuration": _time(consent.expires_utc.isoformat()),
                "dct:description": "destroyed then at the latest, with a signed receipt",
            },
        ],
        "dpv:hasConsentControl": {
            "@type": "dpv:WithdrawConsent",
            "dpv:isExercisedAt": controller.contact,
            "dct:description": _HOW.format(case_id=consent.case_id),
        },
        "dpv:hasRight": ["eu-gdpr:A7-3", "eu-gdpr:A15", "eu-gdpr:A17", "eu-gdpr:A77"],
    }


_HOW = (
    "You may withdraw at any time and without a reason: give the contact the case number "
    "{case_id}. A search that runs stops within seconds, everything of the case is destroyed, you "
    "get a signed receipt of that, and this consent can never be used again."
)


def _time(text: str) -> dict[str, str]:
    return {"@type": "xsd:dateTime", "@value": text}
