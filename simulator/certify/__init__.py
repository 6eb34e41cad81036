"""Certification before go-live: a facility's real systems against the reference gateway, test by test."""
