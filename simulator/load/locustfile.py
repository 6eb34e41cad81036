"""A modality as a Locust User: `locust -f "$(simulate load --locust-file)" --host HAGATEWAY@127.0.0.1:11112`."""
