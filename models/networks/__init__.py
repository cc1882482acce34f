"""Networks behind the interfaces; importing this package registers every backend."""

from models.networks import (
    centerface,
    dlib_resnet,
    faceres,
    insightface_pack,
    insightface_person,
    nanodet,
    osnet,
)

__all__ = [
    "centerface",
    "dlib_resnet",
    "faceres",
    "insightface_pack",
    "insightface_person",
    "nanodet",
    "osnet",
]
