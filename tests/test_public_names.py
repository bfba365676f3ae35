"""Every public name of the package, by the door that has it; all else is private."""

import importlib

import pytest

DOORS = {
    "auditring": """
        Attributes Auditor AuditringError ClosedError CursorError Event Level LogWriter
        Policy PolicyError RingFullError Stage Stats UserInfo __version__ follow
    """,
    "auditring.backends.batch": "Batch BatchSettings",
    "auditring.backends.handler": "AuditRecord HandlerBackend LOGGER_NAME",
    "auditring.backends.log": "Form LineWriter LogBackend",
    "auditring.backends.losses": "Losses OnLoss print_loss",
    "auditring.backends.truncate": "Truncate",
    "auditring.config": """
        Config ConfigError ConfigProblem ConfiguredAuditor KEYS Settings Source
        load_config open_auditor parse_config
    """,
    "auditring.cursor": "Cursor CursorFile Mark PREFIX_BYTES",
    "auditring.encode": """
        REQUEST_NOTE RESPONSE_NOTE event_list json_line legacy_line list_of_lines
    """,
    "auditring.errors": """
        AuditringError BadRequestError ClosedError ConfigError ConfigProblem CursorError
        EventError PolicyError PolicyProblem RefusedError RequestError RequestInfoError
        RingFullError
    """,
    "auditring.event": """
        AuthenticationMetadata Event Level MEMBER_NAMES ObjectReference Stage UserInfo
    """,
    "auditring.follow": "follow follow_chunks",
    "auditring.handlers": """
        AuditHandler BytesLoggerFactory HandlerOptions RotatingFileHandler
        TimedRotatingFileHandler WatchedFileHandler install
    """,
    "auditring.metrics": "CONTENT_TYPE Collector Family exposition families",
    "auditring.middleware.asgi": "AuditMiddleware audited identify",
    "auditring.middleware.django": "AuditMiddleware audited identify user_of",
    "auditring.middleware.fastapi": "AuditMiddleware audited identify user_of",
    "auditring.middleware.flask": "audited identify init_app",
    "auditring.middleware.wsgi": "AuditMiddleware WsgiExchange audited identify",
    "auditring.policy": "Decision PRESETS Policy preset_text",
    "auditring.redact": "DEFAULT_RULES MASKED_WHOLE RedactionRule Redactor",
    "auditring.routes": "Routes",
}


@pytest.mark.parametrize("door", DOORS)
def test_a_door_has_these_names(door: str) -> None:
    module = importlib.import_module(door)
    names = DOORS[door].split()

    assert sorted(module.__all__) == sorted(names)
    assert all(hasattr(module, name) for name in names)
