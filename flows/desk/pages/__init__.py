"""The pages of the desk. Importing this registers all: a new module of pages is a line here."""

from flows.desk.pages import administration as administration
from flows.desk.pages import artefacts as artefacts
from flows.desk.pages import audit_log as audit_log
from flows.desk.pages import calibration as calibration
from flows.desk.pages import camera_import as camera_import
from flows.desk.pages import cameras as cameras
from flows.desk.pages import case_acts as case_acts
from flows.desk.pages import cases as cases
from flows.desk.pages import filing as filing
from flows.desk.pages import filing_itinerary as filing_itinerary
from flows.desk.pages import filing_pictures as filing_pictures
from flows.desk.pages import filing_sign as filing_sign
from flows.desk.pages import floor_plan as floor_plan
from flows.desk.pages import live as live
from flows.desk.pages import login as login
from flows.desk.pages import own_account as own_account
from flows.desk.pages import pointing as pointing
from flows.desk.pages import provider_login as provider_login
from flows.desk.pages import questions as questions
from flows.desk.pages import result as result
from flows.desk.pages import watching as watching
