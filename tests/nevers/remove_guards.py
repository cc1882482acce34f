"""`python tests/nevers/remove_guards.py [WORD ...]`: breaks each guard and rule on a copy and shows
that its tests turn red.

Two tables: GUARDS, the lines that hold the five nevers, and RULES, one break of each kind of drift
test and import rule. Works on a copy of the tracked files as they are, in a temporary folder. First
the tests run unchanged and must be green; then each break runs only the tests that its row names,
and every one of them must fail: by an assertion or an error of the test, not by code that cannot be
imported. With words only the rows whose names have one of them run.

Exit status 1 when something can be broken without a test noticing, or a line is not found any more.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
# In the place of a test, with a name: an import rule of pyproject.toml.
IMPORTS = "import rule"
ASKS = "tests/nevers/test_never_1_every_stage_asks.py"
CONSENT = "tests/nevers/test_never_1_no_search_without_consent.py"
RECORDED = "tests/nevers/test_never_1_nothing_goes_unrecorded.py"
INSTRUMENTED = "tests/nevers/test_never_2_instrumented.py"
LOOKS = "tests/nevers/test_never_1_looks_need_their_scope.py"
NOBODY_ELSE = "tests/nevers/test_never_2_nobody_else_is_recognised.py"
TEMPLATES = "tests/nevers/test_never_2_templates.py"
BYSTANDER = "tests/nevers/test_never_3_no_unmasked_bystander.py"
SUBJECT = "tests/nevers/test_never_3_nobody_is_taken_for_the_subject.py"
EXCHANGED = "tests/tasks/redaction/test_switched_tracks.py"
QUESTION = "tests/nevers/test_never_3_a_question_shows_nobody.py"
STILL = "tests/tasks/calibration/test_empty_scene.py"
LINKED = "tests/nevers/test_never_2_cases_cannot_be_linked.py"
DELETION = "tests/nevers/test_never_4_deletion.py"
OUTLIVES = "tests/nevers/test_never_4_nothing_outlives_its_purpose.py"
FOUR_EYES = "tests/nevers/test_never_1_four_eyes.py"
ONE_PERSON = "tests/nevers/test_never_1_one_person.py"
WITHDRAWN = "tests/nevers/test_never_1_withdrawn_is_withdrawn.py"
DAMAGED = "tests/nevers/test_never_4_whatever_is_damaged.py"
JOURNAL = "tests/security/test_journal_and_sweep.py"
CLOCK = "tests/security/test_clock.py"
PERSON = "tests/nevers/test_never_5_a_person_decides.py"
AGREEMENT = "tests/tasks/review/test_agreement.py"
REVIEW = "tests/flows/cases/test_review.py"
REVIEWED = "tests/tasks/exposure/test_reviewed.py"
DRIFT = "tests/architecture/test_drift.py"
INSIDE = "tests/architecture/test_features_stay_inside.py"
ONLY_AUTHORISE = "tests/architecture/test_only_authorise_makes_cases.py"
PEOPLE = "tests/tasks/people"
POINT = "tests/flows/cases/test_point.py"
PRIVACY = "tests/architecture/test_privacy_docs.py"
DESK = "tests/security/test_desk.py"
FILING = "tests/flows/desk/test_filing.py"
LOGIN = "tests/security/test_prefect_login.py"
OVERSIZED = "tests/security/test_oversized_objects.py"
ROTATION = "tests/flows/cases/test_rotate_master.py"


class Guard(NamedTuple):
    """A line that holds a never or a rule, what it looks like when it is broken, and the tests
    that must each turn red then. Without tests: one of the never's own tests must.
    """

    never: str
    file: str
    line: str
    without: str
    tests: tuple[str, ...] = ()


GUARDS = (
    Guard(
        "4 a draft that is not filed ends",
        "tasks/ending/purge.py",
        "        days = draft_days if DRAFT_ID.match(case.case_id) else keep_days",
        "        days = keep_days",
        (f"{OUTLIVES}::test_what_ends_a_case", f"{FILING}::test_a_draft_that_is_not_filed_ends"),
    ),
    Guard(
        "3 a picture of several people is not kept in a draft",
        "tasks/observe/template.py",
        "    fault = _face_fault(faces, min_face_px)\n    return PictureCheck",
        '    fault = ""\n    return PictureCheck',
        (f"{FILING}::test_pictures_are_looked_at_at_once",),
    ),
    Guard(
        "1 a withdrawn or used token is refused",
        "tasks/consent/authorise.py",
        "        _check_standing(grant, standing(grant))",
        "        pass",
        tests=(f"{CONSENT}::test_withdrawal_stops",),
    ),
    Guard(
        "1 an area is what stands in it by the camera file in force",
        "flows/runtime/environment.py",
        "@lru_cache(maxsize=4)\ndef _site_of(store: ObjectStore, folder: Path, etag: str)",
        "_kept: list[Site] = []\n\n\ndef _site_of(*of):\n"
        "    return (_kept or _kept.append(_read_of(*of)) or _kept)[0]\n\n\n"
        "def _read_of(store: ObjectStore, folder: Path, etag: str)",
        tests=(f"{WITHDRAWN}::test_a_new_camera_file_counts_at_the_next_authorising",),
    ),
    Guard(
        "1 two people must sign",
        "tasks/consent/authorise.py",
        "    _two_people(consented, approved)",
        "    pass",
        tests=(f"{CONSENT}::test_one_person_cannot_sign_both",),
    ),
    Guard(
        "1 only authorise makes a case",
        "data_contracts/authorisation.py",
        "if witness is not _WITNESS:",
        "if False:",
        tests=(f"{CONSENT}::test_a_case_cannot_be_made_by_hand",),
    ),
    Guard(
        "1 a token is used by its filing",
        "flows/cases/filing.py",
        "            env.tokens.take(id_of(grant), vault)",
        "            pass",
        tests=(f"{WITHDRAWN}::test_the_same_two_tokens_are_not_filed_again",),
    ),
    Guard(
        "1 a token belongs to one filing",
        "infra/token_list.py",
        "all(self._content(i) == mine for i in written)",
        "True",
        tests=(f"{WITHDRAWN}::test_a_locked_list_is_neither_deleted_nor_emptied",),
    ),
    Guard(
        "1 what is put back after its end is not searched",
        "infra/token_list.py",
        """        if found.ended:
            return "spent"
        if not found.filed:
            return "unregistered"
""",
        """        if not found.filed:
            return "unregistered"
""",
        tests=(f"{WITHDRAWN}::test_a_case_that_is_put_back_is_not_searched",),
    ),
    Guard(
        "1 the end of a case is written to its tokens",
        "flows/cases/destroy.py",
        "    attempt(lambda: spend_tokens(env, case_id), None)",
        "    pass",
        tests=(f"{WITHDRAWN}::test_a_case_that_is_put_back_is_not_searched",),
    ),
    Guard(
        "1 the subject's own signature fits",
        "tasks/consent/authorise.py",
        "    check_evidence(consented)",
        "    pass",
        tests=(f"{CONSENT}::test_a_subject_s_signature_for_something_else_is_none",),
    ),
    Guard(
        "1 an unknown place is searched nowhere",
        "tasks/search/anchor.py",
        "            gaps.append(_place_gap(visit, _unknown_place(visit.place, site)))\n"
        "            continue",
        "            cameras = tuple(site.by_id)",
        tests=("tests/tasks/search/test_plan.py::test_an_unknown_place_is_a_gap_and_no_search",),
    ),
    Guard(
        "1 tokens end",
        "tasks/consent/authorise.py",
        "        if life > named.life_days:",
        "        if False:",
        tests=(f"{WITHDRAWN}::test_a_token_of_ten_years_is_refused",),
    ),
    Guard(
        "1 the time that tokens name is bounded",
        "tasks/consent/authorise.py",
        "        if span > named.span_days:",
        "        if False:",
        tests=(f"{WITHDRAWN}::test_a_token_of_ten_years_is_refused",),
    ),
    Guard(
        "1 runs are counted",
        "flows/stages/claim.py",
        "        _count_run(case)\n        resumed",
        "        resumed",
        tests=(f"{WITHDRAWN}::test_runs_are_counted_where_nobody_can_take_them_back",),
    ),
    Guard(
        "1 nothing after the filing",
        "data_contracts/authorisation.py",
        "min(self.consent.to_utc, self.approval.to_utc, self.request.filed_utc)",
        "min(self.consent.to_utc, self.approval.to_utc)",
        tests=(f"{WITHDRAWN}::test_nothing_after_the_filing_is_searched",),
    ),
    Guard(
        "1 nothing is filed in the future",
        "tasks/consent/authorise.py",
        "    if request.filed_utc > now:",
        "    if False:",
        tests=(f"{WITHDRAWN}::test_nothing_after_the_filing_is_searched",),
    ),
    Guard(
        "1 tokens are bound to itinerary and onset",
        "tasks/consent/authorise.py",
        "        check_request(grant, request)",
        "        pass",
        tests=(f"{WITHDRAWN}::test_what_was_not_signed_is_not_filed",),
    ),
    Guard(
        "1 tokens are bound to pictures",
        "flows/cases/filing.py",
        "            check_pictures(grant, papers.references)",
        "            pass",
        tests=(f"{WITHDRAWN}::test_somebody_elses_picture_is_refused_by_name",),
    ),
    Guard(
        "1 an authorised case has no subclass",
        "data_contracts/authorisation.py",
        """raise NotAuthorised("an AuthorisedCase has no subclasses: call authorise(...)")""",
        "pass",
        tests=(f"{WITHDRAWN}::test_a_subclass_is_no_authorised_case",),
    ),
    Guard(
        "1 the list of keys is signed",
        "tasks/consent/key_list.py",
        "    if missing:",
        "    if False:",
        tests=(
            f"{FOUR_EYES}::test_one_user_with_two_keys_of_their_own_publishes_nothing",
            f"{FOUR_EYES}::test_administrators_make_no_administrator_without_the_root",
            f"{FOUR_EYES}::test_a_list_that_the_root_did_not_sign_is_none",
        ),
    ),
    Guard(
        "1 a revocation is final",
        "tasks/consent/key_list.py",
        "    _check_only_added(old, version.keys)",
        "    pass",
        tests=(f"{FOUR_EYES}::test_revoked_is_revoked",),
    ),
    Guard(
        "1 nobody holds up a revocation",
        "flows/runtime/key_list.py",
        "        store.replace(object_key.AUDIT, key, data, there, ",
        "        store.stat(object_key.AUDIT, key) or (",
        tests=(f"{FOUR_EYES}::test_nobody_holds_up_a_revocation",),
    ),
    Guard(
        "1 names are compared by how they look",
        "tasks/consent/key_list.py",
        "    _check_names(version)",
        "    pass",
        tests=(f"{FOUR_EYES}::test_two_administrators_in_one_person_are_one",),
    ),
    Guard(
        "1 no older list of keys",
        "flows/runtime/key_list.py",
        "    _remember_version(seen_file, found, root)",
        "    pass",
        tests=(f"{FOUR_EYES}::test_an_older_list_is_refused",),
    ),
    Guard(
        "1 each entry names the signers",
        "flows/runtime/audit.py",
        """        given["verified_by"] = _signers_of(env, case_id)""",
        "        pass",
        tests=(f"{FOUR_EYES}::test_every_entry_of_a_case_names_who_signed",),
    ),
    Guard(
        "1 pictures show one person",
        "tasks/observe/template.py",
        "    if same.min() < ONE_PERSON_P:",
        "    if False:",
        tests=(f"{ONE_PERSON}::test_two_faces_are_not_searched_under_one_consent",),
    ),
    Guard(
        "1 no more cameras than approved",
        "tasks/search/plan.py",
        "        if wish.camera_id not in admitted:",
        "        if False:",
        tests=(f"{CONSENT}::test_no_more_cameras_than_the_approval_allows",),
    ),
    Guard(
        "1 refusals are written",
        "flows/runtime/audit.py",
        "            _write_refusal(env, case_id, refusal)",
        "            pass",
        tests=(f"{RECORDED}::test_a_refusal_in_a_run_is_written_once",),
    ),
    Guard(
        "1 no case without an audit entry",
        "flows/cases/filing.py",
        """    audit(
        env, "authorise", case=authorised, role="intake", policy=f"{policy.name}@{policy.version}"
    )""",
        "    pass",
        tests=(f"{RECORDED}::test_filing_is_written_with_its_grounds",),
    ),
    Guard(
        "1 nothing is shown without an audit entry",
        "flows/desk/pages/artefacts.py",
        """audit(env, "view", case=case.authorised, run_id=run_id, objects=(name,))""",
        "pass",
        tests=(f"{RECORDED}::test_views_and_exports_are_written",),
    ),
    Guard(
        "1 looks are learnt under their scope only",
        "tasks/observe/looks.py",
        """    require(case, "appearance")\n    seen:""",
        "    seen:",
        tests=(f"{LOOKS}::test_face_only_computes_nothing_of_looks",),
    ),
    Guard(
        "1 looks are compared under their scope only",
        "tasks/observe/looks.py",
        """    require(case, "appearance", footage.camera.camera_id)\n    if looks""",
        "    if looks",
        tests=(
            f"{LOOKS}::test_face_only_computes_nothing_of_looks",
            f"{LOOKS}::test_a_camera_that_is_not_named_is_not_compared",
        ),
    ),
    Guard(
        "1 without the scope no footage is read for looks",
        "flows/stages/looks.py",
        """    if "appearance" not in case.authorised.scopes:""",
        "    if False:",
        tests=(f"{LOOKS}::test_face_only_computes_nothing_of_looks",),
    ),
    Guard(
        "1 without the scope no looks are compared",
        "flows/stages/looks.py",
        """    if not learnt or "appearance" not in work.case.authorised.scopes:
        return LOOKS.empty()
    return""",
        "    return",
        tests=(f"{LOOKS}::test_face_only_computes_nothing_of_looks",),
    ),
    Guard(
        "1 without the scope no scan is compared",
        "flows/stages/looks.py",
        """    if not learnt or "appearance" not in work.case.authorised.scopes:
        return LOOKS.empty()
    left""",
        "    left",
        tests=(f"{LOOKS}::test_face_only_computes_nothing_of_looks",),
    ),
    Guard(
        "1 a unit of a scan for looks asks for their scope",
        "flows/runtime/segment_job.py",
        """    require(work.case.authorised, "appearance", job["camera_id"])\n""",
        "",
        tests=(f"{LOOKS}::test_face_only_computes_nothing_of_looks",),
    ),
    Guard(
        "1 bodies of a scan are kept under the appearance scope only",
        "tasks/observe/scan.py",
        """        if by_looks:""",
        "        if True:",
        tests=(f"{LOOKS}::test_face_only_scans_for_no_bodies",),
    ),
    Guard(
        "1 looks count under their scope only",
        "tasks/people/subject.py",
        """        require(case, "appearance")""",
        "        pass",
        tests=(f"{PEOPLE}/test_subject.py::test_looks_need_the_appearance_scope",),
    ),
    Guard(
        "1 without the face scope following looks for no face",
        "tasks/observe/follow.py",
        "        if by_face and (",
        "        if (",
        tests=(f"{LOOKS}::test_without_the_face_scope_no_face_is_looked_for",),
    ),
    Guard(
        "1 without the face scope no template is built",
        "flows/stages/template.py",
        """    if "face" not in case.authorised.scopes:""",
        "    if False:",
        tests=(f"{POINT}::test_without_the_face_scope_there_is_no_template",),
    ),
    Guard(
        "1 pointing needs its scope and camera",
        "flows/cases/point.py",
        """        require(case.authorised, "appearance", camera_id)""",
        "        pass",
        tests=(f"{POINT}::test_nothing_is_decoded_without_scope_camera_or_audit",),
    ),
    Guard(
        "1 pointing is written first",
        "flows/cases/point.py",
        """    audit(env, "point", case=case.authorised)""",
        "    pass",
        tests=(
            f"{POINT}::test_the_subject_is_pointed_at_and_again",
            f"{POINT}::test_nothing_is_decoded_without_scope_camera_or_audit",
        ),
    ),
    Guard(
        "1 points count under their scope only",
        "tasks/people/subject.py",
        """        require(case, "appearance")""",
        "        pass",
        tests=(f"{PEOPLE}/test_pointed.py::test_pointing_needs_the_appearance_scope",),
    ),
    Guard(
        "5 clothes alone state nobody",
        "tasks/people/way.py",
        "if tied[i] else (came, went)",
        "if tied[i] else (came, _log_sum(np.r_[came, went]))",
        tests=(
            f"{PEOPLE}/test_way.py::test_clothes_at_the_end_of_a_walk_are_the_subjects",
            f"{PEOPLE}/test_way.py::test_a_chain_without_a_face_takes_nothing_from_one_that_has_one",
        ),
    ),
    Guard(
        "2 looks are of one case",
        "tasks/observe/looks.py",
        "    if looks.case_id != case.case_id:",
        "    if False:",
        tests=(f"{LOOKS}::test_looks_of_another_case_are_refused",),
    ),
    Guard(
        "2 descriptions of bodies die with the comparison",
        "tasks/observe/looks.py",
        "    ratio = describer.calibration",
        "    globals().setdefault('kept', []).append([describe_clothes(p, crops.gains) for p in "
        "crops.pictures])\n    ratio = describer.calibration",
        tests=(f"{LOOKS}::test_no_description_outlives_the_comparison",),
    ),
    Guard(
        "2 strangers get no answer",
        "tasks/observe/match.py",
        "np.where(proposed, subject_p, np.nan), mask_p, compared",
        "subject_p, mask_p, compared",
        tests=(f"{NOBODY_ELSE}::test_strangers_get_no_answer_and_their_features_die",),
    ),
    Guard(
        "2 strangers get no answer behind a mask either",
        "tasks/observe/match.py",
        "np.where(adds, ratio, np.nan)",
        "ratio",
        tests=(f"{NOBODY_ELSE}::test_strangers_get_no_answer_and_their_features_die",),
    ),
    Guard(
        "2 a template is of one case",
        "tasks/observe/match.py",
        "if template is None or template.case_id != case.case_id:",
        "if False:",
        tests=(f"{NOBODY_ELSE}::test_another_case_s_template_is_refused",),
    ),
    Guard(
        "2 a template is rotated",
        "tasks/observe/rotation.py",
        "return np.asarray(vectors, np.float64) @ _haar(self._seed, vectors.shape[1])",
        "return np.asarray(vectors, np.float64)",
        tests=(f"{TEMPLATES}::test_two_cases_of_one_person_look_like_strangers",),
    ),
    Guard(
        "2 each build has a secret of its own",
        "tasks/observe/template.py",
        "    salt = secrets.token_bytes(_SALT_BYTES)",
        "    salt = bytes(_SALT_BYTES)",
        tests=(f"{TEMPLATES}::test_real_templates_of_two_cases_cannot_be_compared",),
    ),
    Guard(
        "2 a template's secret comes from the case's key",
        "infra/case_store.py",
        'return _derived(self._data_key, f"encounter/{purpose}/{self.case_id}", salt)',
        'return _derived(bytes(KEY_BYTES), f"encounter/{purpose}/{self.case_id}", salt)',
        tests=(f"{TEMPLATES}::test_secrets_of_cases_purposes_and_salts_differ",),
    ),
    Guard(
        "2 a template does not travel",
        "tasks/observe/template.py",
        """raise NotAuthorised(
            "a template does not travel between processes: read it there from the case's store"
        )""",
        "return object.__reduce__(self)",
        tests=(f"{TEMPLATES}::test_a_template_does_not_travel",),
    ),
    Guard(
        "2 features die with the comparison",
        "tasks/observe/match.py",
        "        similarity = _similarity(template, vectors)",
        "        similarity = _similarity(template, vectors); globals().setdefault('kept', "
        "[]).append(vectors)",
        tests=(f"{INSTRUMENTED}::test_nothing_of_a_feature_outlives_the_comparison",),
    ),
    Guard(
        "2 features are not logged",
        "tasks/observe/match.py",
        "        similarity = _similarity(template, vectors)",
        "        similarity = _similarity(template, vectors); "
        "__import__('logging').getLogger('x').error('%s', vectors)",
        tests=(f"{INSTRUMENTED}::test_nothing_of_a_feature_outlives_the_comparison",),
    ),
    Guard(
        "2 features are not returned",
        "tasks/observe/match.py",
        "    return Verdicts(np.where(proposed, subject_p, np.nan), mask_p, compared, masked_llr)",
        "    out = Verdicts(np.where(proposed, subject_p, np.nan), mask_p, compared, masked_llr)\n"
        "    out.__dict__['vectors'] = vectors.tolist()\n    return out",
        tests=(f"{INSTRUMENTED}::test_nothing_of_a_feature_outlives_the_comparison",),
    ),
    Guard(
        "2 a verdict has no place for a vector",
        "tasks/observe/match.py",
        "if len(shapes) != 1 or len(shapes.pop()) != 1:",
        "if False:",
        tests=(
            "tests/architecture/test_features_stay_inside.py::test_a_verdict_has_no_place_for_a_vector",
        ),
    ),
    Guard(
        "2 a failure takes nothing with it",
        "tasks/observe/match.py",
        "@forgetful\ndef match(",
        "def match(",
        tests=(f"{INSTRUMENTED}::test_a_failure_inside_the_comparison_carries_nothing_out",),
    ),
    Guard(
        "2 runtimes keep no face",
        "models/runtime.py",
        "            _forget(infer, blank)",
        "            pass",
        tests=(f"{INSTRUMENTED}::test_the_runtime_keeps_no_face",),
    ),
    Guard(
        "2 runs have salts of their own",
        "flows/stages/claim.py",
        "salt=secrets.token_hex(16)",
        "salt='0' * 32",
        tests=(f"{NOBODY_ELSE}::test_names_link_neither_runs_nor_cases",),
    ),
    Guard(
        "2 only overlapping views are joined",
        "tasks/people/join.py",
        "not self._cameras_meet(i, j)",
        "False",
        tests=(f"{NOBODY_ELSE}::test_views_that_do_not_meet_share_no_one",),
    ),
    Guard(
        "3 people are hidden",
        "tasks/redaction/redact.py",
        "        hide_box(boxed, box)",
        "        pass",
        tests=(f"{BYSTANDER}::test_no_head_is_shown_with_gappy_tracks",),
    ),
    Guard(
        "3 what differs from the scene is hidden",
        "tasks/redaction/redact.py",
        "    levels = _unexplained(frame, differs, background, settings)",
        "    levels = np.zeros(frame.shape[:2], np.uint8)",
        tests=(f"{BYSTANDER}::test_no_head_is_shown_with_gappy_tracks",),
    ),
    Guard(
        "1 models ask again within a segment",
        "flows/runtime/still_allowed.py",
        "            open_case(self._case_id, self._env)",
        "            pass",
        tests=(f"{ASKS}::test_within_a_segment_no_model_looks_any_more",),
    ),
    Guard(
        "1 a revoked key is refused",
        "tasks/consent/grant_token.py",
        "entry.revoked_utc is not None and max(now, grant.issued_utc) >= entry.revoked_utc",
        "False",
        tests=(f"{ASKS}::test_a_revoked_key_keeps_its_entry_and_counts_until_then",),
    ),
    Guard(
        "1 every stage and worker asks for itself",
        "flows/runtime/stage.py",
        "        case = open_case(run.case_id, env, run.policy)",
        "        case = OpenCase(None, env.cases.open(run.case_id), None, None)",
        tests=(
            f"{ASKS}::test_no_dask_task_begins_for_a_withdrawn_case",
            f"{ASKS}::test_no_stage_begins_for_a_withdrawn_case",
        ),
    ),
    Guard(
        "4 the key goes first",
        "flows/cases/deletion_steps.py",
        "    _destroy_key,\n    _stop_runs,\n    _delete_objects,",
        "    _stop_runs,\n    _delete_objects,\n    _destroy_key,",
        tests=(f"{DELETION}::test_the_key_goes_first",),
    ),
    Guard(
        "4 a deletion is verified",
        "flows/cases/deletion_steps.py",
        "if _case_versions(env, case_id) or",
        "if False and",
        tests=(f"{DELETION}::test_no_receipt_for_what_is_still_there",),
    ),
    Guard(
        "4 the store's disk is compacted",
        "flows/cases/deletion_steps.py",
        "        store_bytes.compact(env.settings, record)",
        "        pass",
        tests=(f"{DELETION}::test_the_disk_of_the_store_keeps_neither_content_nor_key",),
    ),
    Guard(
        "4 what the store's disk still holds is told",
        "infra/local/store_bytes.py",
        "    return [v for v in now if not _is_rid(v, before[v.number])]",
        "    return []",
        tests=("tests/infra/local/test_full_disk.py::test_bytes_that_are_still_there_are_told",),
    ),
    Guard(
        "4 a purge makes its own room",
        "flows/cases/destroy.py",
        "    attempt(lambda: disk_room.give_up_reserves(env.settings), False)",
        "    pass",
        tests=("tests/infra/local/test_full_disk.py::test_a_purge_makes_its_own_room",),
    ),
    Guard(
        "4 that nothing goes any more is seen",
        "infra/passes.py",
        "age is not None and age > LATE_S",
        "False",
        tests=("tests/flows/desk/test_watching.py::test_a_late_pass_is_not_ok",),
    ),
    Guard(
        "4 a purge goes on under its first plan",
        "flows/cases/journal.py",
        "    env.store.put(object_key.CASES, object_key.purge_journal(case_id)",
        "    env.store.put(object_key.SITE, object_key.purge_journal(case_id)",
        tests=(f"{DELETION}::test_broken_off_anywhere_it_finishes",),
    ),
    Guard(
        "4 a journal must be signed here",
        "tasks/ending/journal.py",
        "verify_signed(text, JOURNAL_TYPE, keys)",
        "__import__('tasks.ending.purge').ending.purge._claims(text)",
        tests=(f"{JOURNAL}::test_a_journal_that_was_not_signed_here_dictates_nothing",),
    ),
    Guard(
        "4 a journal is of its case",
        "tasks/ending/journal.py",
        "    if plan.case_id != case_id:",
        "    if False:",
        tests=(f"{JOURNAL}::test_a_journal_that_was_not_signed_here_dictates_nothing",),
    ),
    Guard(
        "4 a journal of an earlier life says nothing",
        "flows/cases/destroy.py",
        "_begin_pass(env, case_id, reason, None if receipt else plan)",
        "_begin_pass(env, case_id, reason, plan)",
        tests=(f"{JOURNAL}::test_a_journal_of_an_earlier_life_ends_no_purge_early",),
    ),
    Guard(
        "4 no entry stands before the key",
        "flows/cases/destroy.py",
        "    announced = attempt(lambda: bool(_announce_start(env, plan)), False)",
        "    announced = bool(_announce_start(env, plan))",
        tests=(f"{DAMAGED}::test_an_audit_log_that_cannot_be_written_is_made_up_for",),
    ),
    Guard(
        "4 no signature stands before the key",
        "flows/cases/destroy.py",
        "    written = attempt(lambda: journal.write(env, plan), False)",
        "    written = journal.write(env, plan)",
        tests=(f"{DAMAGED}::test_whatever_file_of_the_home_is_damaged",),
    ),
    Guard(
        "4 a step that fails keeps no other",
        "flows/cases/destroy.py",
        "            if number == 0:\n                raise",
        "            raise",
        tests=(f"{DELETION}::test_the_key_goes_first",),
    ),
    Guard(
        "4 no reason keeps a case",
        "tasks/ending/purge.py",
        """    return line[:_REASON_CHARS].rstrip() or "no reason was given\"""",
        "    return text",
        tests=(f"{DAMAGED}::test_no_reason_keeps_a_case",),
    ),
    Guard(
        "4 a deletion that a power cut caught is finished",
        "infra/local/stack.py",
        "            weed.drop_nameless(self.settings, self.record)",
        "            pass",
        tests=("tests/infra/local/test_power_cut.py::test_what_was_deleted_stays_deleted",),
    ),
    Guard(
        "4 one case that fails keeps no other",
        "flows/cases/expiry.py",
        """            failed.append(f"case {case_id}: {told(error)}")""",
        "            raise",
        tests=(f"{DAMAGED}::test_one_case_that_fails_keeps_no_other",),
    ),
    Guard(
        "4 a case that cannot be read expires",
        "flows/cases/expiry.py",
        "        return CasePapers(case_id=case_id, has_key=True, filed_utc=made, opens=False)",
        "        return CasePapers(case_id=case_id, has_key=True, opens=False)",
        tests=(f"{DELETION}::test_another_master_key_ends_no_case_before_its_time",),
    ),
    Guard(
        "4 destroying a key needs no key",
        "flows/cases/ending_environment.py",
        "    except EncounterError:",
        "    except ZeroDivisionError:",
        tests=(f"{DAMAGED}::test_the_command_withdraws_without_a_master_key",),
    ),
    Guard(
        "4 a receipt counts where it was signed, and lies",
        "flows/cases/receipts.py",
        "    return receipt if whole and placed else None",
        "    return receipt",
        tests=(
            f"{JOURNAL}::test_sweep_does_nothing_on_account_of_a_name[moved]",
            f"{JOURNAL}::test_sweep_does_nothing_on_account_of_a_name[incomplete]",
        ),
    ),
    Guard(
        "4 a word is not a case's name",
        "data_contracts/mention.py",
        """    if "-" in case_id and any(c.isalpha() for c in case_id):""",
        "    if True:",
        tests=(f"{JOURNAL}::test_a_case_called_like_a_word_blanks_no_log",),
    ),
    Guard(
        "4 a clock that jumped ends nothing",
        "flows/cases/expiry.py",
        """    doubt = "" if word.despite_clock else _doubt(env, now)""",
        """    doubt = \"\"""",
        tests=(f"{CLOCK}::test_a_clock_that_jumps_ends_no_case",),
    ),
    Guard(
        "4 unusually many wait",
        "flows/cases/expiry.py",
        "    if number <= most or word.despite_number:",
        "    if True:",
        tests=(f"{CLOCK}::test_unusually_many_wait_for_a_word",),
    ),
    Guard(
        "4 planted cases keep no other",
        "flows/cases/expiry.py",
        "sum(d.by_time and d.opens is opens for d in doomed)",
        "sum(d.by_time for d in doomed)",
        tests=(f"{CLOCK}::test_planted_cases_keep_no_other_from_its_end",),
    ),
    Guard(
        "4 a forged entry from the future keeps no case",
        "tasks/ending/clock.py",
        "    if seen.store_utc is not None and seen.store_is_apart:",
        "    if False:",
        tests=("tests/tasks/ending/test_clock.py::test_what_is_believed",),
    ),
    Guard(
        "4 old pictures go, and what shows them",
        "tasks/artefacts/exports.py",
        "    return name.startswith(PICTURES) or name in inside",
        "    return name.startswith(PICTURES)",
        tests=(
            f"{DELETION}::test_old_pictures_go_before_their_case",
            "tests/tasks/artefacts/test_exports.py::test_what_has_pictures_inside_is_known",
        ),
    ),
    Guard(
        "4 which runs are published is sealed",
        "flows/stages/published.py",
        "    vault.put(object_key.published(vault.case_id, run.run_id), ",
        "    vault.store.put(object_key.CASES, object_key.published(vault.case_id, run.run_id), ",
        tests=("tests/flows/cli/test_published_runs.py::test_the_key_dies_with_the_case",),
    ),
    Guard(
        "4 what a person asked for does not wait",
        "flows/cases/expiry.py",
        "if not (d.by_time and waits[d.opens]))",
        "if not waits[d.opens])",
        tests=(f"{CLOCK}::test_a_withdrawal_does_not_wait_for_the_clock",),
    ),
    Guard(
        "3 the subject's box may not jump",
        "tasks/redaction/still_subject.py",
        "    doubt = _near_jumps(frames, at, settings)",
        "    doubt = np.zeros(len(at), bool)",
        tests=(f"{SUBJECT}::test_a_track_that_swaps_to_a_stranger",),
    ),
    Guard(
        "3 who is who after a cut is a guess",
        "tasks/redaction/switched_tracks.py",
        "    cut = _begun_by_a_cut(tracks, subject)",
        "    cut = np.zeros(len(tracks), bool)",
        tests=(f"{EXCHANGED}::test_after_a_cut_that_was_guessed_nobody_is_shown_without_a_face",),
    ),
    Guard(
        "3 who vanished at the subject is still there",
        "tasks/redaction/still_subject.py",
        "        doubt[i] = any(o.subject is not None for o in lost)",
        "        doubt[i] = False",
        tests=(f"{SUBJECT}::test_somebody_merges_with_the_subject",),
    ),
    Guard(
        "3 who another camera sees is hidden",
        "tasks/redaction/hidden_people.py",
        "        parts.append(_drawn(away, camera, -number))",
        "        pass",
        tests=(f"{SUBJECT}::test_somebody_in_line_whom_only_another_camera_tells_apart",),
    ),
    Guard(
        "3 a sure box on another is a second person",
        "flows/stages/redact.py",
        "ONE_PERSON_OVERLAP, b.score >= settings.sure_score)",
        "ONE_PERSON_OVERLAP)",
        tests=(f"{SUBJECT}::test_a_sure_box_on_the_subject_s_is_somebody",),
    ),
    Guard(
        "3 who has no place may be anywhere",
        "flows/stages/redact.py",
        "    if not unplaced:\n        return found",
        "    return found",
        tests=(f"{SUBJECT}::test_who_has_no_place_may_be_anywhere",),
    ),
    Guard(
        "3 a track that another camera contradicts is nobody's",
        "tasks/redaction/hidden_people.py",
        "    everybody = without_strayed(people.tracks, people.subject)",
        "    everybody = people.tracks",
        tests=(f"{SUBJECT}::test_two_people_who_exchange_their_tracks_when_they_part",),
    ),
    Guard(
        "3 a shape beside the subject is somebody",
        "tasks/redaction/redact.py",
        "    return bool(core.any())",
        "    return False",
        tests=(f"{SUBJECT}::test_an_unknown_shape_beside_the_subject_hides_them",),
    ),
    Guard(
        "3 pictures are drawn from the file that was followed",
        "tasks/redaction/render.py",
        "if segment.has(frame.t_utc):",
        "if True:",
        tests=(
            "tests/tasks/redaction/test_render.py"
            "::test_pictures_are_taken_from_the_file_that_was_followed",
        ),
    ),
    Guard(
        "3 a find covers its neighbours in time",
        "tasks/redaction/who_is_where.py",
        "    return _spread_in_time(own, times, settings)",
        "    return own",
        tests=(f"{SUBJECT}::test_a_frame_without_any_detection",),
    ),
    Guard(
        "3 a question's picture shows nobody",
        "tasks/redaction/plan.py",
        '_own(row, sure) if row["sighting_id"] in certain else ()',
        "_own(row, sure)",
        tests=(f"{QUESTION}::test_a_question_s_own_picture_shows_nobody",),
    ),
    Guard(
        "3 whom clothes tell is shown to nobody",
        "tasks/redaction/plan.py",
        """ & (sightings["basis"] != "looks")""",
        "",
        tests=(f"{QUESTION}::test_whom_clothes_tell_is_shown_to_nobody",),
    ),
    Guard(
        "3 a look at a question is written first",
        "flows/cases/look.py",
        """audit(env, "look", case=case.authorised, run_id=run.run_id, objects=(sighting_id,))""",
        "pass",
        tests=(f"{QUESTION}::test_a_reviewer_sees_one_question_and_nothing_is_kept",),
    ),
    Guard(
        "3 nothing of a hidden pixel is drawn",
        "tasks/redaction/silhouette.py",
        "    out[hidden] = _FILL",
        "    out[hidden] = cv2.blur(frame, (63, 63))[hidden]",
        tests=(f"{BYSTANDER}::test_everybody_hidden_is_one_grey",),
    ),
    Guard(
        "3 a box is hidden in whole cells",
        "tasks/redaction/redact.py",
        "    return np.where(own, boxed, whole_cells(np.maximum(levels, boxed)))",
        "    return np.where(own, boxed, np.maximum(levels, boxed))",
        tests=(f"{BYSTANDER}::test_a_box_s_own_sides_are_not_drawn",),
    ),
    Guard(
        "3 noise may not show what it drowns",
        "tasks/redaction/background.py",
        "        off = np.minimum(off, most)",
        "        pass",
        tests=(f"{BYSTANDER}::test_noise_that_drowns_people_shows_nothing",),
    ),
    Guard(
        "3 in the dark a small difference counts",
        "tasks/redaction/background.py",
        "    return np.clip(around / _FULL_LIGHT, _LEAST_LIGHT, 1.0).astype(np.float32)",
        "    return np.ones_like(around)",
        tests=(f"{BYSTANDER}::test_noise_that_drowns_people_shows_nothing",),
    ),
    Guard(
        "3 a texture is told from the wall",
        "tasks/redaction/background.py",
        " | (_texture(smooth, self.image) > varied)",
        "",
        tests=(f"{BYSTANDER}::test_a_face_of_the_wall_s_own_colour_is_hidden",),
    ),
    Guard(
        "3 a still for calibration shows what is known to be empty",
        "tasks/calibration/empty_scene.py",
        "    return np.where(background.reliable[..., None], background.image, np.uint8(GREY))",
        "    return background.image",
        tests=(f"{STILL}::test_who_is_found_in_the_median_alone_is_grey",),
    ),
    Guard(
        "3 a still for calibration needs time in which people leave",
        "tasks/calibration/empty_scene.py",
        " or (max(starts) - min(starts)).total_seconds() < LEAST_SPAN_S",
        "",
        tests=(f"{STILL}::test_too_short_a_time_shows_nothing",),
    ),
    Guard(
        "4 a destroyed key ends open handles",
        "infra/case_store.py",
        "        self._check(key)",
        "        pass",
        tests=(f"{OUTLIVES}::test_a_destroyed_key_ends_open_handles_too",),
    ),
    Guard(
        "4 objects are sealed",
        "infra/case_store.py",
        '        return seal(self._data_key, f"{CASES}/{key}", pad(data))',
        "        return pad(data)",
        tests=(f"{OUTLIVES}::test_nothing_of_a_case_is_readable_in_the_store",),
    ),
    Guard(
        "2 names of objects link no cases",
        "infra/disguise.py",
        "        if not rest:\n            return key\n        data",
        "        if True:\n            return key\n        data",
        tests=(f"{LINKED}::test_names_and_sizes_of_two_cases_have_nothing_in_common",),
    ),
    Guard(
        "2 sizes of objects link no cases",
        "infra/disguise.py",
        "    return max(_LEAST_BYTES, 1 << size.bit_length())",
        "    return size + 1",
        tests=(f"{LINKED}::test_names_and_sizes_of_two_cases_have_nothing_in_common",),
    ),
    Guard(
        "4 expiry ends a case",
        "tasks/ending/purge.py",
        "now >= case.expires_utc",
        "False",
        tests=(f"{OUTLIVES}::test_what_ends_a_case",),
    ),
    Guard(
        "5 nothing is confirmed by itself",
        "tasks/people/decided.py",
        'return "confirmed" if key in self.confirmed else "unreviewed"',
        'return "confirmed"',
        tests=(f"{PERSON}::test_every_sighting_waits_for_a_review",),
    ),
    Guard(
        "5 two different reviewers must agree",
        "tasks/review/agreement.py",
        "AGREEING = 2",
        "AGREEING = 1",
        tests=(f"{PERSON}::test_one_reviewer_confirms_nothing",),
    ),
    Guard(
        "5 a reviewer counts once",
        "tasks/review/agreement.py",
        "first.setdefault(answer.reviewer, answer)",
        "first.setdefault(str(answer.answered_utc), answer)",
        tests=(
            f"{PERSON}::test_one_reviewer_confirms_nothing",
            f"{AGREEMENT}::test_one_reviewer_never_counts_twice",
        ),
    ),
    Guard(
        "5 a reviewer answers once",
        "flows/runtime/decisions.py",
        "return vault.put_if_absent(key, answer.model_dump_json().encode())",
        "return bool(vault.put(key, answer.model_dump_json().encode()))",
        tests=(f"{REVIEW}::test_two_answers_at_once_leave_the_first",),
    ),
    Guard(
        "3 whom two reviewers rejected is shown to nobody",
        "tasks/people/subject.py",
        "return {p: c for p, c in (probability | stands).items() if p not in rejected}",
        "return probability | stands",
        tests=(f"{QUESTION}::test_whom_reviewers_rejected_is_a_bystander_in_every_picture",),
    ),
    Guard(
        "3 pictures of whom reviewers reject go at once",
        "flows/cases/review.py",
        "        delete_pictures_of_rejected(env, case_id)",
        "        pass",
        tests=(f"{REVIEW}::test_pictures_of_whom_reviewers_reject_go_at_once",),
    ),
    Guard(
        "5 whom reviewers rejected is cut from the subject",
        "tasks/people/join.py",
        """    for i in sides[0]:
        for j in sides[1]:
            out[i] |= 1 << j
            out[j] |= 1 << i
""",
        "",
        tests=(
            "tests/tasks/people/test_decided.py::test_one_rejected_track_is_cut_from_the_subject",
        ),
    ),
    Guard(
        "5 of two confirmed at one time neither stands",
        "tasks/people/decided.py",
        "frozenset(confirmed - apart_from_another)",
        "frozenset(confirmed)",
        tests=(
            "tests/tasks/people/test_decided.py::test_of_two_confirmed_at_one_time_neither_stands",
        ),
    ),
    Guard(
        "5 a rejected contact is not on the list",
        "tasks/exposure/assess.py",
        'encounters[encounters["review"] != "rejected"]',
        "encounters",
        tests=(f"{REVIEWED}::test_a_rejected_contact_leaves_the_list_and_stays_an_encounter",),
    ),
    Guard(
        "5 people are not kept after another decision",
        "flows/runtime/decisions.py",
        "if before.decided != about_people(decisions):",
        "if False:",
        tests=(
            "tests/flows/runtime/test_decisions.py::test_people_are_found_anew_after_a_decision",
        ),
    ),
    Guard(
        "5 an answer counts in its own place alone",
        "flows/runtime/decisions.py",
        "if key != object_key.review_answer(case_id, answer.question_id, answer.reviewer):",
        "if False:",
        tests=("tests/security/test_review.py::test_a_record_in_the_wrong_place_decides_nothing",),
    ),
    Guard(
        "5 accounts whose names look alike are one reviewer",
        "flows/cases/review.py",
        "    name = folded(who.name)",
        "    name = who.name",
        tests=("tests/security/test_review.py::test_one_person_under_two_spellings",),
    ),
    Guard(
        "5 nobody reads an answer before their own",
        "flows/cases/review.py",
        "others=others if own is not None or decision is not None else ()",
        "others=others",
        tests=(f"{REVIEW}::test_nobody_sees_an_answer_before_their_own",),
    ),
    Guard(
        "5 an answer counts under a reviewer's account alone",
        "flows/cases/review.py",
        'if who.kind != "account" or who.role != "reviewer":',
        "if False:",
        tests=(f"{REVIEW}::test_who_is_not_a_reviewer_is_refused",),
    ),
)

RULES = (
    Guard(
        "imports: layers",
        "tasks/ground/kalman.py",
        "import numpy as np\n",
        "import numpy as np\n\nimport flows.runtime.results  # noqa: F401\n",
        tests=(f"{IMPORTS}: Imports go one way",),
    ),
    Guard(
        "imports: Prefect only in flows",
        "infra/home.py",
        "from pathlib import Path\n",
        "from pathlib import Path\n\nimport prefect  # noqa: F401\n",
        tests=(f"{IMPORTS}: Prefect only in flows",),
    ),
    Guard(
        "imports: Dask only in flows and infra",
        "tasks/ground/kalman.py",
        "import numpy as np\n",
        "import distributed  # noqa: F401\nimport numpy as np\n",
        tests=(f"{IMPORTS}: Dask only in flows and infra",),
    ),
    Guard(
        "imports: the S3 client only in infra",
        "flows/runtime/results.py",
        "import pandas as pd\n",
        "import minio  # noqa: F401\nimport pandas as pd\n",
        tests=(f"{IMPORTS}: The S3 client only in infra",),
    ),
    Guard(
        "imports: neural runtimes only in models",
        "tasks/ground/kalman.py",
        "import numpy as np\n",
        "import numpy as np\nimport openvino  # noqa: F401\n",
        tests=(f"{IMPORTS}: Neural runtimes only in models",),
    ),
    Guard(
        "imports: video decoding in one module",
        "tasks/footage/segment.py",
        "import cv2\n",
        "import av  # noqa: F401\nimport cv2\n",
        tests=(f"{IMPORTS}: Video decoding in one module",),
    ),
    Guard(
        "imports: a stage imports earlier ones",
        "tasks/observe/match.py",
        "from tasks.consent.authorise import require\n",
        "import tasks.people.track  # noqa: F401\nfrom tasks.consent.authorise import require\n",
        tests=(f"{IMPORTS}: Stages of tasks import earlier ones",),
    ),
    Guard(
        "imports: rooms of flows",
        "flows/runtime/results.py",
        "from infra.case_store import CaseVault\n",
        "import flows.stages.people  # noqa: F401\nfrom infra.case_store import CaseVault\n",
        tests=(f"{IMPORTS}: Rooms of flows",),
    ),
    Guard(
        "imports: rooms of models",
        "models/files/checksum.py",
        "import hashlib\n",
        "import hashlib\n\nimport models.networks.osnet  # noqa: F401\n",
        tests=(f"{IMPORTS}: Rooms of models",),
    ),
    Guard(
        "imports: the local stack is above the rest of infra",
        "infra/crypto.py",
        "import secrets\n",
        "import secrets\n\nimport infra.local.process  # noqa: F401\n",
        tests=(f"{IMPORTS}: The local stack is above the rest of infra",),
    ),
    Guard(
        "imports: no circles",
        "models/files/checksum.py",
        "import hashlib\n",
        "import hashlib\n\nimport models.files.pull  # noqa: F401\n",
        tests=(f"{IMPORTS}: No circles",),
    ),
    Guard(
        "drift: a deployment's flow",
        "prefect.yaml",
        "flows/reconcile.py:reconcile",
        "flows/reconcile.py:reconciles",
        tests=(f"{DRIFT}::test_every_deployment_imports",),
    ),
    Guard(
        "drift: ten cases at once",
        "prefect.yaml",
        "work_queue_name: cases",
        "work_queue_name: default",
        tests=(f"{DRIFT}::test_the_deployments_are_the_ones_promised",),
    ),
    Guard(
        "drift: a link of the docs",
        "docs/running.md",
        "](deletion.md)",
        "](deletions.md)",
        tests=(f"{DRIFT}::test_links_of_the_docs_lead_somewhere",),
    ),
    Guard(
        "drift: a command of the docs",
        "docs/running.md",
        "encounter desk account list",
        "encounter desk accounts list",
        tests=(f"{DRIFT}::test_commands_of_the_docs_exist",),
    ),
    Guard(
        "drift: a setting without a row",
        "docs/settings.md",
        "| `stack.desk_port` | `ENCOUNTER_STACK__DESK_PORT` |",
        "| `stack.desks_port` | `ENCOUNTER_STACK__DESK_PORT` |",
        tests=("tests/infra/test_settings.py",),
    ),
    Guard(
        "drift: a contract's name twice",
        "data_contracts/tables/contracts.py",
        'TableContract(\n    "segments",',
        'TableContract(\n    "windows",',
        tests=(f"{DRIFT}::test_contracts_have_a_version_and_one_name",),
    ),
    Guard(
        "drift: a stage's module without a test",
        "tests/tasks/ending/test_notice.py",
        "from tasks.ending.notice import",
        "from tasks.ending . notice import",
        tests=(f"{DRIFT}::test_every_stage_module_is_tested",),
    ),
    Guard(
        "drift: a claim of the privacy pages",
        "docs/privacy/threat-model.md",
        "::test_one_signature_is_none`",
        "::test_one_signature_is_enough`",
        tests=(f"{PRIVACY}::test_named_tests_and_files_exist",),
    ),
    Guard(
        "rule: embedders are reached from two functions",
        "tasks/observe/scan.py",
        "    people = best_of_each(",
        "    models.embedder.embed([], [])\n    people = best_of_each(",
        tests=(f"{INSIDE}::test_embedders_are_reached_from_four_functions_only",),
    ),
    Guard(
        "rule: only authorise holds the witness",
        "tasks/search/anchor.py",
        "from __future__ import annotations\n",
        "from __future__ import annotations\n\nimport data_contracts.authorisation as a\n\n"
        'KEY = getattr(a, "_WITNESS")\n',
        tests=(f"{ONLY_AUTHORISE}::test_witness_is_touched_by_authorise_only",),
    ),
    Guard(
        "desk: attempts are limited",
        "flows/desk/pages/login.py",
        "    if wait_s > 0:",
        "    if False:",
        tests=(f"{DESK}::test_guessing_is_slowed_down",),
    ),
    Guard(
        "desk: a known browser is not held up by strangers",
        "flows/desk/pages/login.py",
        "    known = device is not None and device == name",
        "    known = False",
        tests=(f"{DESK}::test_an_attacker_cannot_keep_a_colleague_out",),
    ),
    Guard(
        "desk: requests come in time",
        "flows/desk/connections.py",
        "        self._timer = self.loop.call_later(limit_s, self._end)",
        "        pass",
        tests=(f"{DESK}::test_a_slow_request_is_ended",),
    ),
    Guard(
        "desk: one name",
        "flows/desk/wall.py",
        'if given.get("host", "").lower() not in self._names.hosts:',
        "if False:",
        tests=(f"{DESK}::test_other_names_are_refused",),
    ),
    Guard(
        "desk: not for other pages",
        "flows/desk/wall.py",
        '        elif not self._asked_for_itself(scope["method"], given):',
        "        elif False:",
        tests=(f"{DESK}::test_other_pages_cannot_use_a_login",),
    ),
    Guard(
        "desk: forms come from own pages",
        "flows/desk/wall.py",
        ' and given.get("origin") in self._names.origins',
        "",
        tests=(f"{DESK}::test_forms_of_other_pages_are_refused",),
    ),
    Guard(
        "desk: forms carry their token",
        "flows/desk/door.py",
        """    if page.method == "POST" and not hmac.compare_digest(
        visit.sent("csrf").encode(), visit.session.csrf.encode()
    ):""",
        "    if False:",
        tests=(f"{DESK}::test_every_form_needs_its_token",),
    ),
    Guard(
        "desk: roles",
        "flows/desk/door.py",
        "    if role is None:",
        """    role = role or visit.account.roles[0]
    if False:""",
        tests=(f"{DESK}::test_each_forbidden_thing_is_refused",),
    ),
    Guard(
        "desk: cases of others",
        "flows/desk/door.py",
        "    if ACTS[act].of_case and not may_see_case(visit):",
        "    if False:",
        tests=(f"{DESK}::test_somebody_elses_case_is_not_there",),
    ),
    Guard(
        "desk: errors show nothing",
        "flows/desk/door.py",
        'return visit.problem(500, visit.text("This could not be done."), detail)',
        'return visit.problem(500, "x", str(error))',
        tests=(f"{DESK}::test_a_fault_shows_nothing",),
    ),
    Guard(
        "prefect: its login",
        "flows/programs/prefect_server.py",
        "self._is_closed(scope) and not self._has_login(scope)",
        "False",
        tests=(f"{LOGIN}::test_everything_refuses_without_the_login",),
    ),
    Guard(
        "prefect: its pages ask nobody else",
        "flows/programs/prefect_server.py",
        """message["headers"] = [*message.get("headers", ()), *self._told]""",
        "pass",
        tests=(f"{LOGIN}::test_the_ui_asks_nobody_else",),
    ),
    Guard(
        "store: tokens are short",
        "infra/token_list.py",
        "version_id=item.version_id, at_most=_LONGEST_BYTES",
        "version_id=item.version_id",
        tests=(f"{OVERSIZED}::test_over_a_token",),
    ),
    Guard(
        "master key: a rotation revives no key",
        "infra/store.py",
        """{"If-Match": f'"{etag.strip(chr(34))}"', "Content-Type": content_type}""",
        '{"Content-Type": content_type}',
        tests=(f"{ROTATION}::test_a_case_that_ends_meanwhile_stays_destroyed",),
    ),
    Guard(
        "master key: the old key goes last",
        "flows/cases/rotate_master.py",
        "if told and not left.cases[k.key_id]",
        "if True",
        tests=(
            f"{ROTATION}::test_a_case_that_was_made_meanwhile_keeps_the_old_key",
            f"{ROTATION}::test_a_damaged_record_keeps_the_old_key",
        ),
    ),
    Guard(
        "master key: the list of tokens is carried over",
        "flows/cases/rotate_master.py",
        "    env.tokens.wrap_anew()",
        "    pass",
        tests=(f"{ROTATION}::test_tokens_stay_used_and_withdrawn",),
    ),
    Guard(
        "master key: it does not leave the token",
        "infra/pkcs11_keys.py",
        "                    Attribute.SENSITIVE: True,\n                    "
        "Attribute.EXTRACTABLE: False,\n",
        "                    Attribute.SENSITIVE: False,\n                    "
        "Attribute.EXTRACTABLE: True,\n",
        tests=("tests/infra/test_master_keys.py::test_a_key_in_a_token_cannot_be_taken_out",),
    ),
)


def named(guard: Guard) -> list[str]:
    """What pytest is asked to run: the named tests, else all files that watch the same never."""
    if guard.tests:
        return sorted(guard.tests)
    number = guard.never[:1]
    own = (ROOT / "tests" / "nevers").glob(f"test_never_{number}*.py")
    others = {test.partition("::")[0] for g in GUARDS if g.never[:1] == number for test in g.tests}
    return sorted({str(path.relative_to(ROOT)) for path in own} | others)


def run(copy: Path, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """A Python program on the copy."""
    # One way of running pytest, whatever the project's own options show.
    surroundings = {**os.environ, "PYTHONPATH": str(copy), "PYTEST_ADDOPTS": "-rfEs --tb=no"}
    whole = [sys.executable, *argv]
    return subprocess.run(
        whole, cwd=copy, env=surroundings, capture_output=True, text=True, check=False
    )


def staying_green(copy: Path, guard: Guard) -> list[str]:
    """The tests and rules of a row that do not notice its break."""
    if guard.tests and guard.tests[0].startswith(IMPORTS):
        kept = broken_imports(copy)
        return [rule for rule in guard.tests if rule.partition(": ")[2] not in kept]
    wanted = named(guard)
    done = run(copy, ["-m", "pytest", "-p", "no:cacheprovider", *wanted])
    if done.returncode not in (0, 1):
        return [f"{test} (did not run: {last_line(done)})" for test in wanted]
    failed = re.findall(r"^FAILED (\S+)", done.stdout, re.M)
    if failed and not guard.tests:
        print(f"  name its tests: {', '.join(failed[:4])}")
        return []
    green = [test for test in wanted if not any(found.startswith(test) for found in failed)]
    return [f"{test} ({last_line(done)})" for test in green]


def broken_imports(copy: Path) -> set[str]:
    """The names of the import rules that do not hold."""
    call = "from importlinter.cli import lint_imports_command as c; c(['--no-cache'])"
    done = run(copy, ["-c", call])
    if "Contracts:" not in done.stdout:
        raise SystemExit(f"import-linter did not run: {last_line(done)}")
    return set(re.findall(r"^(.+) BROKEN", done.stdout, re.M))


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    """The last thing that a program said."""
    return (done.stdout.strip() or done.stderr.strip() or "nothing").splitlines()[-1]


def copied(folder: Path) -> Path:
    """The tracked files as they are now."""
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).exists():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
    return folder


def unchanged_is_green(copy: Path, rows: Sequence[Guard]) -> bool:
    """Whether all that the rows rely on holds before anything is broken."""
    wanted = {test for row in rows for test in named(row)}
    tests = sorted(test for test in wanted if not test.startswith(IMPORTS))
    rules = broken_imports(copy) if len(tests) < len(wanted) else set()
    done = run(copy, ["-m", "pytest", "-p", "no:cacheprovider", *(tests or ["--version"])])
    green = done.returncode == 0 and not rules
    print(f"unchanged: {'green' if green else 'RED'}  {last_line(done)}", flush=True)
    for line in re.findall(r"^(?:FAILED|ERROR) .*", done.stdout, re.M) + sorted(rules):
        print(f"  {line}")
    return green


def broken(copy: Path, guard: Guard) -> list[str]:
    """What did not notice the break of a row."""
    path = copy / guard.file
    whole = path.read_text()
    if guard.line not in whole:
        return [f"the line was not found in {guard.file}"]
    try:
        path.write_text(whole.replace(guard.line, guard.without))
        return staying_green(copy, guard)
    finally:
        path.write_text(whole)


def main(words: Sequence[str]) -> int:
    """Print one line a row; 1 where something is not watched."""
    rows = [r for r in (*GUARDS, *RULES) if not words or any(w in r.never for w in words)]
    with tempfile.TemporaryDirectory(prefix="encounter-guards-") as folder:
        copy = copied(Path(folder) / "copy")
        if not unchanged_is_green(copy, rows):
            return 1
        unwatched = 0
        for row in rows:
            green = broken(copy, row)
            unwatched += bool(green)
            print(
                f"{row.never}: {'NOT WATCHED: ' + '; '.join(green) if green else 'red'}", flush=True
            )
        print(f"{len(rows)} broken, {unwatched} of them not watched")
        return min(unwatched, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
