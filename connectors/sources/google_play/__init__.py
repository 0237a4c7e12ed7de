"""`google_play`: reviews of the team's own app, by a service account."""
