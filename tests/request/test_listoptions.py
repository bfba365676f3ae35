import pytest

from auditring.request.listoptions import ListOptions, list_options


@pytest.mark.parametrize(
    ("watch", "expected"),
    [
        *(("1", True), ("true", True), ("", True), ("no", True), ("00", True)),
        *(("0", False), ("false", False), ("FALSE", False), ("fal\u017fe", False)),
    ],
)
def test_a_watch_is_whatever_is_not_false(watch: str, expected: bool) -> None:
    assert list_options({"watch": watch}) == ListOptions(expected, "")


@pytest.mark.parametrize("number", ["0", "-5", "+5", "007", str(2**63 - 1)])
def test_a_whole_number_limits(number: str) -> None:
    values = {"limit": number, "fieldSelector": "metadata.name=x"}

    assert list_options(values).name == "x"


@pytest.mark.parametrize(
    "bad",
    [
        *({"limit": text} for text in ("", "x", " 1", "1_0", "0x1", "1.0", "\u0661")),
        *({"limit": text} for text in (str(2**63), str(-(2**63) - 1), "9" * 5000)),
        {"timeoutSeconds": "x"},
        {"labelSelector": "a=b=c"},
        {"fieldSelector": "metadata.name=x,y"},
    ],
)
def test_a_bad_option_voids_the_others_but_watch(bad: dict[str, str]) -> None:
    values = {"fieldSelector": "metadata.name=x", **bad}

    assert list_options(values) == ListOptions(False, "")
    assert list_options({**values, "watch": "no"}) == ListOptions(True, "")
    assert list_options({**values, "watch": "False"}) == ListOptions(False, "")
    # By lower case here, where a good query goes by Unicode's folding.
    assert list_options({**values, "watch": "fal\u017fe"}) == ListOptions(True, "")


@pytest.mark.parametrize("name", [".", "..", "a/b", "a%62", ""])
def test_what_no_path_could_name_is_no_name(name: str) -> None:
    assert list_options({"fieldSelector": f"metadata.name={name}"}).name == ""


def test_unknown_keys_do_not_matter() -> None:
    assert list_options({"x": "y", "continue": "z"}) == ListOptions()
