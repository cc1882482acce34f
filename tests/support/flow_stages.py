"""The stages of the search as the flow names them, to be run in this process, without an
orchestrator.
"""

from flows.stages import looks, observe, people, plan

SEARCH = {
    "plan_search": plan.plan_search,
    "scan": observe.scan_footage,
    "plan_follow": plan.plan_follow,
    "follow": observe.follow_sightings,
    "learn_looks": looks.learn_looks,
    "compare_looks": looks.compare_all,
    "scan_for_looks": looks.scan_for_looks,
    "find_people": people.find_people,
    "progress": lambda *_: None,
}
