"""Check meeting and assessing against exact truth on random scenes of walkers (positions only).

    python -m benchmarks.walkers --scenes 1000 --json out.json

Reports how far expected times are off, whether the 5 to 95 % interval holds the truth in 90 % of
the cases, and whether the probability that a rule was met is right as often as it says. `--fit`
tries other correlation times.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks.accuracy.scenes import START, STEP_S, Scene, make_scene
from data_contracts.exposure import ErrorModel, MeetSettings
from data_contracts.policies import load_policy
from data_contracts.policy import Policy, Tier
from tasks.exposure.accumulate import largest
from tasks.exposure.assess import assess
from tasks.exposure.meet import meet

DISTANCES = {"seconds_1m": 1.0, "seconds_1_5m": 1.5, "seconds_2m": 2.0}
# An interval narrower than this many seconds is not in doubt: one instant on either side.
UNDECIDED_S = 2 * STEP_S


def rules() -> list[Policy]:
    """Rules short enough for short scenes, each as a policy that lists everyone with a probability
    above 1 %.
    """
    base = load_policy("demo-short")
    search = base.search.model_copy(update={"contact_probability": 0.01})
    cases = [((1.5, 30), 0), ((2.0, 20), 0), ((2.0, 5), 86400)]
    return [
        base.model_copy(
            update={
                "tiers": (Tier(name=f"{d:g} m {s} s", max_distance_m=d, min_duration_s=s),),
                "search": search,
                "accumulate_over_s": over,
            }
        )
        for (d, s), over in cases
    ]


def encounter_rows(
    scene: Scene, points: pd.DataFrame, encounters: pd.DataFrame
) -> list[dict[str, Any]]:
    """One row an encounter and distance: expected seconds, bounds and true seconds over the same
    instants.
    """
    rows = []
    for encounter in encounters.to_dict("records"):
        own = points[points["encounter_id"] == encounter["encounter_id"]]
        index = np.round((own["t_utc"] - START).dt.total_seconds().to_numpy() / STEP_S).astype(int)
        distance = scene.true_distance_m(encounter["person_id"])[index]
        for name, d in DISTANCES.items():
            true = float((distance < d) @ own["dt_s"].to_numpy())
            low = encounter[f"{name}_lo"]
            high = encounter[f"{name}_hi"]
            rows.append(
                {
                    "distance_m": d,
                    "true_s": true,
                    "expected_s": encounter[name],
                    "lo": low,
                    "hi": high,
                }
            )
    return rows


def rule_rows(
    scene: Scene,
    points: pd.DataFrame,
    encounters: pd.DataFrame,
    policies: list[Policy],
    settings: MeetSettings | None,
) -> list[dict[str, Any]]:
    """One row a rule and person near the subject: probability, and whether the rule was truly
    met.
    """
    rows = []
    t = np.arange(scene.true_m.shape[1], dtype=np.float64) * STEP_S
    dt = np.full(len(t), STEP_S)
    for policy in policies:
        contacts = assess(points, encounters, policy, np.random.default_rng(0), settings).set_index(
            "person_id"
        )
        tier = policy.tiers[0]
        for i in range(1, len(scene.true_m)):
            person = f"P{i}"
            counted = (scene.true_distance_m(person) < tier.max_distance_m)[None, :]
            seconds = largest(
                counted, t, dt, policy.accumulate_over_s, policy.episode_gap_s
            ).seconds[0]
            p = contacts["probability"].to_dict().get(person, 0.0)
            rows.append(
                {
                    "rule": tier.name,
                    "met": bool(seconds >= tier.min_duration_s - 1e-6),
                    "probability": p,
                }
            )
    return rows


def measure(
    scenes: int, settings: MeetSettings | None = None, seed: int = 0, with_rules: bool = True
) -> dict[str, Any]:
    """Run the scenes and sum up. Keys are described in `docs/exposure.md`."""
    met: list[dict[str, Any]] = []
    judged: list[dict[str, Any]] = []
    policies = rules() if with_rules else []
    for number in range(scenes):
        scene = make_scene(seed + number)
        points, encounters = meet(scene.trajectory, scene.persons, {"P0"}, settings=settings)
        met += encounter_rows(scene, points, encounters)
        judged += rule_rows(scene, points, encounters, policies, settings)
    out: dict[str, Any] = {"scenes": scenes, "times": _times(pd.DataFrame(met))}
    return out | ({"rules": _rules(pd.DataFrame(judged))} if judged else {})


def _times(rows: pd.DataFrame) -> dict[str, Any]:
    out = {}
    for name, part in [
        *((f"{d:g} m", rows[rows["distance_m"] == d]) for d in DISTANCES.values()),
        ("all", rows),
    ]:
        error = (part["expected_s"] - part["true_s"]).to_numpy()
        open_ = part[part["hi"] - part["lo"] > UNDECIDED_S]
        out[name] = {
            "encounters": len(part),
            "mean_true_s": float(part["true_s"].mean()),
            "mean_error_s": float(error.mean()),
            "mean_abs_error_s": float(np.abs(error).mean()),
            "p90_abs_error_s": float(np.quantile(np.abs(error), 0.9)),
            "held": _held(part),
            "undecided": len(open_),
            "held_undecided": _held(open_),
            "below_undecided": float((open_["true_s"] < open_["lo"] - 1e-6).mean()),
            "above_undecided": float((open_["true_s"] > open_["hi"] + 1e-6).mean()),
        }
    return out


def _held(rows: pd.DataFrame) -> float:
    return float(
        ((rows["true_s"] >= rows["lo"] - 1e-6) & (rows["true_s"] <= rows["hi"] + 1e-6)).mean()
    )


def _rules(rows: pd.DataFrame) -> dict[str, Any]:
    said = (
        rows["probability"] / 0.98
    )  # given that the one is the subject, which is true in every scene
    edges = [0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.01]
    bins = pd.cut(said, edges, right=False)
    reported = rows["probability"] >= 0.5
    met = rows["met"]
    return {
        "judged": len(rows),
        "met": int(met.sum()),
        "precision": float(met[reported].mean()),
        "recall": float(reported[met].mean()),
        "brier": float(((said - met) ** 2).mean()),
        "reliability": [
            {
                "from": float(b.left),
                "n": len(g),
                "said": float(said[g.index].mean()),
                "met": float(g["met"].mean()),
            }
            for b, g in rows.groupby(bins, observed=True)
        ],
    }


def show(result: dict[str, Any], console: Console) -> None:
    """Print the numbers as tables."""
    columns = list(result["times"])
    times = Table(
        "encounters", *columns, title=f"Time within a distance, {result['scenes']} scenes"
    )
    for key in result["times"]["all"]:
        values = [result["times"][column][key] for column in columns]
        times.add_row(
            key.replace("_", " "), *(f"{v:d}" if isinstance(v, int) else f"{v:.3f}" for v in values)
        )
    console.print(times)
    if "rules" not in result:
        return
    rule = result["rules"]
    console.print(
        f"rules: {rule['judged']} judged, {rule['met']} met, precision {rule['precision']:.3f}, "
        f"recall {rule['recall']:.3f}, Brier {rule['brier']:.4f}"
    )
    table = Table(
        "probability from", "cases", "said (mean)", "met", title="Is the probability right?"
    )
    for row in rule["reliability"]:
        table.add_row(
            f"{row['from']:.2f}", str(row["n"]), f"{row['said']:.3f}", f"{row['met']:.3f}"
        )
    console.print(table)


def fit(scenes: int, console: Console) -> None:
    """Coverage of other correlation times on the same scenes: how the defaults were chosen."""
    table = Table("correlation s", "held, undecided", "below", "above", title=f"{scenes} scenes")
    for correlation_s in (0.2, 2, 10, 30, 60, 120, 300, 1000):
        model = ErrorModel(correlation_s=correlation_s, paths=400)
        row = measure(scenes, MeetSettings(errors=model), with_rules=False)["times"]["all"]
        held = [f"{row[k]:.3f}" for k in ("held_undecided", "below_undecided", "above_undecided")]
        table.add_row(f"{correlation_s}", *held)
    console.print(table)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the numbers here")
    parser.add_argument("--fit", action="store_true", help="compare correlation times instead")
    options = parser.parse_args()
    console = Console()
    if options.fit:
        fit(options.scenes, console)
        return
    result = measure(options.scenes, seed=options.seed)
    show(result, console)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
