"""Networks behind the interfaces; importing this package registers every backend."""

from models.networks import centerface as centerface
from models.networks import dlib_resnet as dlib_resnet
from models.networks import faceres as faceres
from models.networks import insightface_pack as insightface_pack
from models.networks import insightface_person as insightface_person
from models.networks import nanodet as nanodet
from models.networks import osnet as osnet
