"""One result model, four faces: screen, JSON, JUnit, HTML."""
