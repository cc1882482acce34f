"""The comparison as plain text tables."""

from __future__ import annotations

from typing import Any

_LINE = "{:<10}{:>15}{:>15}{:>15}{:>13}  {:<17}{:<17}{:<12}"


def render(figures: dict[str, Any]) -> str:
    """What `compare` returned, as lines to read: true / reported side by side."""
    seen = figures["seen"]
    position = figures["position"]
    contacts = figures["contacts"]
    lines = [
        f"Subject {figures['subject']}, policy {figures['policy']}",
        f"  seen: {seen['true_s']:.1f} s true, {seen['reported_s']:.1f} s reported, recall "
        f"{_n(seen['recall'], 3)}, "
        f"precision {_n(seen['precision'], 3)} ({seen['bridged_s']:.1f} s bridged; "
        f"{seen['without_footage_s']:.1f} s only in missing or damaged footage)",
        f"  position: median {_n(position['median_m'])} m, p90 {_n(position['p90_m'])} m, "
        f"wrong place {position['wrong_place_s']:.1f} s",
        _distances(figures["distance"]),
        _masks(figures["masks"]),
        "",
        _LINE.format(
            "person",
            "s < 1 m",
            "s < 1.5 m",
            "s < 2 m",
            "min m",
            "subject mask",
            "person mask",
            "contact",
        ),
        *(_person(person) for person in figures["people"]),
        "",
        f"  contacts: {contacts['reported']} reported; missed {_list(contacts['missed'])}; beyond "
        "the policy "
        f"{_list(contacts['not_by_policy'])}; no one {_list(contacts['no_one'])}; the subject "
        "itself "
        f"{_list(contacts['subject_itself'])}; never within 3 m "
        f"{_list(contacts['never_within_3m'])}",
        f"  encounters: {figures['encounters']['reported']} reported; no one "
        f"{_list(figures['encounters']['no_one'])}; "
        f"the subject itself {_list(figures['encounters']['subject_itself'])}",
        "  gaps: "
        + (
            ", ".join(f"{k} {v['n']} ({v['seconds']:.0f} s)" for k, v in figures["gaps"].items())
            or "none"
        ),
        f"  footage: missing {_list(figures['footage']['missing'])}; damaged "
        f"{_list(figures['footage']['damaged'])}",
    ]
    return "\n".join(lines)


def _distances(distance: dict[str, Any]) -> str:
    every = distance["all"]
    full = distance["in_full_view"]
    return (
        f"  distance: median error {_n(every['median_abs_m'], 3)} m, p90 "
        f"{_n(every['p90_abs_m'], 3)} m, bias "
        f"{_n(every['median_m'], 3)} m (n={every['n']}); both in full view: "
        f"{_n(full['median_abs_m'], 3)} m, p90 "
        f"{_n(full['p90_abs_m'], 3)} m, bias {_n(full['median_m'], 3)} m (n={full['n']})"
    )


def _masks(masks: dict[str, Any]) -> str:
    return (
        f"  masks: known {_n(masks['known'], 3)} of {masks['s']:.0f} s, right "
        f"{_n(masks['right'], 3)} of those; while a face "
        f"is to be seen ({masks['face_seen_s']:.0f} s): known {_n(masks['face_seen_known'], 3)}, "
        "right "
        f"{_n(masks['face_seen_right'], 3)}"
    )


def _person(person: dict[str, Any]) -> str:
    true = person["true"]
    said = person["reported"]

    def both(key: str, digits: int) -> str:
        return f"{true[key]:.{digits}f} / " + (f"{said[key]:.{digits}f}" if said else "-")

    def words(key: str) -> str:
        return f"{true[key]}/{said[key] if said else '-'}"

    contact = {True: "yes", False: "no", None: "?"}[true["contact"]] + "/"
    contact += "-" if said is None else (",".join(said["contact_ids"]) or "no")
    seconds = [both(key, 1) for key in ("seconds_1m", "seconds_1_5m", "seconds_2m")]
    masks = (words("subject_mask"), words("person_mask"))
    return _LINE.format(person["person"], *seconds, both("min_m", 2), *masks, contact)


def _n(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _list(values: list[str]) -> str:
    return ", ".join(values) or "none"
