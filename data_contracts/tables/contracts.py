"""The contracts of all tables between stages, one noun each, in the order of the data's way."""

from __future__ import annotations

from data_contracts.gap import GAP_KINDS
from data_contracts.tables.expect import (
    between,
    finite,
    matches,
    one_of,
    ordered,
    probability,
    unique,
)
from data_contracts.tables.table import Column, TableContract

WINDOWS = TableContract(
    "windows",
    1,
    (
        Column("window_id", "text", "name that follows from camera, time and round"),
        Column("camera_id", "text", "camera to look at"),
        Column("start_utc", "time", "start of the window"),
        Column("end_utc", "time", "end of the window (exclusive)"),
        Column("reason", "text", "why the subject could have been there"),
        Column("anchor", "text", "what it follows from: itinerary row or sighting"),
        Column("round", "int", "planning round, 0 first"),
    ),
    (unique("window_id"), ordered("end_utc", "start_utc"), between("round", 0, 1000)),
)

SEGMENTS = TableContract(
    "segments",
    2,
    (
        Column("camera_id", "text", "camera"),
        Column("key", "text", "object key in the footage bucket"),
        Column("etag", "text", "the object's ETag"),
        Column("size_bytes", "int", "object size", "byte"),
        Column("start_utc", "time", "start of the first frame, from the key"),
        Column(
            "from_utc", "time", "start of the part to look at; null: the whole file", nullable=True
        ),
        Column("until_utc", "time", "its end", nullable=True),
    ),
    (unique("key", "from_utc"), between("size_bytes", 0, None)),
)

# What became of each segment that was opened: its time cut into what was seen and what was not.
SEGMENT_REPORTS = TableContract(
    "segment_reports",
    3,
    (
        Column("key", "text", "object key"),
        Column("etag", "text", "the object's ETag"),
        Column("camera_id", "text", "camera"),
        Column("start_utc", "time", "start of the stretch"),
        Column(
            "end_utc", "time", "its end; equals start where the file's length could not be known"
        ),
        Column("n_frames", "int", "frames looked at"),
        Column("kind", "text", "empty where it was seen, else the kind of gap"),
        Column("fault", "text", "why it was not seen, or not all of it"),
        Column("advice", "text", "what can be done about it"),
        Column(
            "file_start_utc",
            "time",
            "start of the whole file; null where it is that of its rows",
            nullable=True,
        ),
        Column("file_end_utc", "time", "its end by its header", nullable=True),
    ),
    (
        ordered("end_utc", "start_utc"),
        between("n_frames", 0, None),
        one_of("kind", "", *GAP_KINDS),
    ),
)

_MASKED_LLR = Column(
    "masked_llr",
    "float",
    "log likelihood ratio (the subject : somebody else) of a masked face; present where it speaks "
    "for the subject",
    nullable=True,
)

CANDIDATES = TableContract(
    "candidates",
    2,
    (
        Column("camera_id", "text", "camera"),
        Column("t_utc", "time", "frame time"),
        Column("x0", "float", "head box left", "px"),
        Column("y0", "float", "head box top", "px"),
        Column("x1", "float", "head box right", "px"),
        Column("y1", "float", "head box bottom", "px"),
        Column("face_px", "float", "width of the face", "px"),
        Column(
            "subject_p",
            "float",
            "calibrated probability that this face is the subject's; null where it is not proposed",
            nullable=True,
        ),
        _MASKED_LLR,
    ),
    (probability("subject_p"), between("face_px", 0, 5000), between("masked_llr", 0, 10)),
)

_BOX = (
    Column("x0", "float", "box left", "px"),
    Column("y0", "float", "box top", "px"),
    Column("x1", "float", "box right", "px"),
    Column("y1", "float", "box bottom", "px"),
)
_GROUND = (
    Column("x_m", "float", "east on the site's ground plane", "m", nullable=True),
    Column("y_m", "float", "north on the site's ground plane", "m", nullable=True),
    Column("cov_xx", "float", "variance of x_m", "m2", nullable=True),
    Column("cov_xy", "float", "covariance of x_m and y_m", "m2", nullable=True),
    Column("cov_yy", "float", "variance of y_m", "m2", nullable=True),
)
_FACE = (
    Column("face_px", "float", "width of the face where one was looked at", "px", nullable=True),
    Column(
        "mask_p", "float", "probability of a face mask where a face could be judged", nullable=True
    ),
    Column(
        "subject_p",
        "float",
        "probability of being the subject; present for proposed matches only",
        nullable=True,
    ),
    _MASKED_LLR,
)
_GROUND_EXPECT = (
    finite("x_m"),
    finite("y_m"),
    between("cov_xx", 0, None),
    between("cov_yy", 0, None),
    probability("mask_p"),
    probability("subject_p"),
    between("masked_llr", 0, 10),
)

DETECTIONS = TableContract(
    "detections",
    2,
    (
        Column("camera_id", "text", "camera"),
        Column("t_utc", "time", "frame time"),
        *_BOX,
        Column("score", "float", "detector's score"),
        *_GROUND,
        Column(
            "foot_hidden",
            "bool",
            "feet cut off or hidden: position from the head, larger deviation",
        ),
        *_FACE,
    ),
    (probability("score"), *_GROUND_EXPECT),
)

# One number a body, and nothing else, of the comparison of clothes with the subject's.
LOOKS = TableContract(
    "looks",
    1,
    (
        Column("camera_id", "text", "camera"),
        Column("t_utc", "time", "frame time"),
        *_BOX,
        Column("llr", "float", "log likelihood ratio (the subject : somebody else) of the clothes"),
    ),
    (between("llr", -10, 10),),
)

# A person through consecutive frames of one camera, anonymous.
TRACKS = TableContract(
    "tracks",
    2,
    (
        Column("camera_id", "text", "camera"),
        Column("track_id", "int", "number within the camera and run"),
        Column("t_utc", "time", "frame time"),
        *_BOX,
        Column("score", "float", "detector's score; 0 where interpolated"),
        *_GROUND,
        Column("foot_hidden", "bool", "position from the head, or interpolated"),
        *_FACE,
    ),
    (unique("camera_id", "track_id", "t_utc"), probability("score"), *_GROUND_EXPECT),
)

# Tracks of overlapping cameras joined by ground position and time, smoothed; person_id is random
# per run.
PERSONS = TableContract(
    "persons",
    1,
    (
        Column("person_id", "text", "anonymous number within the run"),
        Column("t_utc", "time", "time"),
        Column("x_m", "float", "east", "m"),
        Column("y_m", "float", "north", "m"),
        Column("cov_xx", "float", "variance of x_m", "m2"),
        Column("cov_xy", "float", "covariance", "m2"),
        Column("cov_yy", "float", "variance of y_m", "m2"),
        Column(
            "mask_p", "float", "probability of a mask at this time, null: unknown", nullable=True
        ),
        Column("seen", "bool", "false where bridged between observations"),
        Column("cameras", "text", "cameras that saw the person then, comma separated"),
    ),
    (
        unique("person_id", "t_utc"),
        finite("x_m"),
        finite("y_m"),
        between("cov_xx", 0, None),
        probability("mask_p"),
    ),
)

MEMBERS = TableContract(
    "members",
    1,
    (
        Column("person_id", "text", "anonymous number within the run"),
        Column("camera_id", "text", "camera"),
        Column("track_id", "int", "track"),
        Column(
            "subject_p",
            "float",
            "probability that this person is the subject, after fusion",
            nullable=True,
        ),
    ),
    (unique("camera_id", "track_id"), probability("subject_p")),
)

SIGHTINGS = TableContract(
    "sightings",
    3,
    (
        Column("sighting_id", "text", "S-01, S-02, ... within the case"),
        Column("camera_id", "text", "camera"),
        Column("track_id", "int", "track"),
        Column("start_utc", "time", "first frame"),
        Column("end_utc", "time", "last frame"),
        Column("probability", "float", "calibrated probability that the track is the subject"),
        Column("band", "text", "high or question, by the policy's thresholds"),
        Column(
            "basis",
            "text",
            "face, pointed (somebody pointed at them), confirmed (by two reviewers), position "
            "(joined on the ground to one of these), or looks (clothes and way)",
        ),
        Column(
            "rival",
            "text",
            "person of this run who may be the subject in this one's place; of questions",
            nullable=True,
        ),
        Column(
            "faces_llr", "float", "log odds by the person's faces; null: none seen", nullable=True
        ),
        Column(
            "looks_llr",
            "float",
            "log likelihood ratio of the person's clothes and height; null: neither known",
            nullable=True,
        ),
        Column(
            "way_llr",
            "float",
            "what the way, and others who may be the subject instead, add to the log odds",
            nullable=True,
        ),
        Column("n_faces", "int", "faces that matched"),
        Column("max_face_px", "float", "widest matched face", "px", nullable=True),
        Column("x_m", "float", "median east", "m", nullable=True),
        Column("y_m", "float", "median north", "m", nullable=True),
        Column("review", "text", "unreviewed, confirmed or rejected; two reviewers decide"),
    ),
    (
        unique("sighting_id"),
        ordered("end_utc", "start_utc"),
        probability("probability"),
        one_of("band", "high", "question"),
        one_of("basis", "confirmed", "face", "looks", "pointed", "position"),
        one_of("review", "unreviewed", "confirmed", "rejected"),
        matches("sighting_id", r"^S-\d{2,}$"),
    ),
)

TRAJECTORY = TableContract(
    "trajectory",
    1,
    (
        Column("t_utc", "time", "time"),
        Column("x_m", "float", "east", "m"),
        Column("y_m", "float", "north", "m"),
        Column("cov_xx", "float", "variance of x_m", "m2"),
        Column("cov_xy", "float", "covariance", "m2"),
        Column("cov_yy", "float", "variance of y_m", "m2"),
        Column("mask_p", "float", "probability of a mask, null: unknown", nullable=True),
        Column("probability", "float", "that this is the subject"),
        Column("seen", "bool", "false where bridged"),
        Column("cameras", "text", "cameras, comma separated"),
    ),
    (
        unique("t_utc"),
        finite("x_m"),
        finite("y_m"),
        probability("probability"),
        probability("mask_p"),
    ),
)

# One row an instant in which the subject and an anonymous person were both located: what assess
# needs, and no more.
ENCOUNTER_POINTS = TableContract(
    "encounter_points",
    1,
    (
        Column("encounter_id", "text", "E-001, ..."),
        Column("person_id", "text", "anonymous number within the run"),
        Column("t_utc", "time", "instant"),
        Column("dt_s", "float", "time this instant stands for", "s"),
        Column("dx_m", "float", "person minus subject, east", "m"),
        Column("dy_m", "float", "person minus subject, north", "m"),
        Column("cov_xx", "float", "variance of dx_m", "m2"),
        Column("cov_xy", "float", "covariance", "m2"),
        Column("cov_yy", "float", "variance of dy_m", "m2"),
        Column("subject_mask_p", "float", "subject wears a mask; null: unknown", nullable=True),
        Column("person_mask_p", "float", "person wears a mask; null: unknown", nullable=True),
        Column("subject_p", "float", "that the one is the subject"),
        Column("cameras", "text", "cameras, comma separated"),
        Column("seen", "bool", "both were seen (not bridged)"),
    ),
    (
        unique("person_id", "t_utc"),
        between("dt_s", 0, 60),
        between("cov_xx", 0, None),
        probability("subject_p"),
    ),
)

ENCOUNTERS = TableContract(
    "encounters",
    3,
    (
        Column("encounter_id", "text", "E-001, ..."),
        Column("person_id", "text", "anonymous number within the run"),
        Column("start_utc", "time", "first instant within 3 m"),
        Column("end_utc", "time", "last instant within 3 m"),
        Column("duration_s", "float", "length", "s"),
        Column("min_m", "float", "smallest expected distance", "m"),
        Column("median_m", "float", "median expected distance", "m"),
        Column("seconds_1m", "float", "expected time within 1 m", "s"),
        Column("seconds_1m_lo", "float", "5 % bound", "s"),
        Column("seconds_1m_hi", "float", "95 % bound", "s"),
        Column("seconds_1_5m", "float", "expected time within 1.5 m", "s"),
        Column("seconds_1_5m_lo", "float", "5 % bound", "s"),
        Column("seconds_1_5m_hi", "float", "95 % bound", "s"),
        Column("seconds_2m", "float", "expected time within 2 m", "s"),
        Column("seconds_2m_lo", "float", "5 % bound", "s"),
        Column("seconds_2m_hi", "float", "95 % bound", "s"),
        Column("subject_mask", "text", "masked, bare, mixed or unknown"),
        Column("person_mask", "text", "masked, bare, mixed or unknown"),
        Column("cameras", "text", "cameras, comma separated"),
        Column("confidence", "float", "probability that the one is the subject, mean"),
        Column("doubt", "text", "empty, or why this person may be the subject seen twice"),
        Column(
            "review",
            "text",
            "unreviewed, confirmed or rejected by two reviewers: one person, as near as is said",
        ),
    ),
    (
        unique("encounter_id"),
        ordered("end_utc", "start_utc"),
        between("duration_s", 0, None),
        between("min_m", 0, None),
        probability("confidence"),
        one_of("subject_mask", "masked", "bare", "mixed", "unknown"),
        one_of("person_mask", "masked", "bare", "mixed", "unknown"),
        one_of("review", "unreviewed", "confirmed", "rejected"),
    ),
)

CONTACTS = TableContract(
    "contacts",
    2,
    (
        Column("contact_id", "text", "C-01, ... random order per run"),
        Column("person_id", "text", "anonymous number within the run"),
        Column("encounter_ids", "text", "encounters, comma separated"),
        Column("policy", "text", "policy name@version"),
        Column("tier", "text", "the rule that fired"),
        Column("rule", "text", "the rule in words"),
        Column("start_utc", "time", "start of the exposure"),
        Column("end_utc", "time", "end of the exposure"),
        Column("exposure_s", "float", "expected time within the rule's distance", "s"),
        Column("exposure_s_lo", "float", "5 % bound", "s"),
        Column("exposure_s_hi", "float", "95 % bound", "s"),
        Column("min_m", "float", "smallest expected distance", "m"),
        Column("median_m", "float", "median expected distance", "m"),
        Column("subject_mask", "text", "masked, bare, mixed or unknown"),
        Column("person_mask", "text", "masked, bare, mixed or unknown"),
        Column("cameras", "text", "cameras, comma separated"),
        Column("probability", "float", "that the rule was met"),
        Column("band", "text", "high or question"),
        Column(
            "doubt",
            "text",
            "empty, or why this person may be the subject seen twice; then a question",
        ),
        Column("review", "text", "unreviewed, confirmed or rejected"),
    ),
    (
        unique("contact_id"),
        matches("contact_id", r"^C-\d{2,}$"),
        ordered("end_utc", "start_utc"),
        probability("probability"),
        between("exposure_s", 0, None),
        one_of("band", "high", "question"),
        one_of("review", "unreviewed", "confirmed", "rejected"),
    ),
)

GAPS = TableContract(
    "gaps",
    1,
    (
        Column("kind", "text", "why nothing can be said"),
        Column("camera_id", "text", "camera; empty where it is about no single camera"),
        Column("start_utc", "time", "start"),
        Column("end_utc", "time", "end"),
        Column("detail", "text", "what happened, in words"),
        Column("advice", "text", "what can be done about it"),
    ),
    (one_of("kind", *GAP_KINDS), ordered("end_utc", "start_utc")),
)

PICTURES = TableContract(
    "pictures",
    1,
    (
        Column("name", "text", "file name below the run's pictures"),
        Column("camera_id", "text", "camera that took it"),
        Column("size_bytes", "int", "size before encryption", "byte"),
        Column("sha256", "text", "digest before encryption"),
    ),
    (unique("name"), between("size_bytes", 1, None), matches("sha256", "^[0-9a-f]{64}$")),
)

ALL = tuple(found for found in list(globals().values()) if isinstance(found, TableContract))
BY_NAME = {contract.name: contract for contract in ALL}
