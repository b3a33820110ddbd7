"""Pictures leave the body and come back to the byte."""

from __future__ import annotations

import base64
import hashlib
import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.content import base64_text, cutting
from gateway.content.cutting import Cut, Cutter, cut, rebuild
from gateway.content.json_text import strings
from gateway.content.sniff import sniff
from tests.pictures import data_url, picture

PICTURES = [
    picture("PNG"),
    picture("JPEG"),
    picture("GIF"),
    picture("WEBP"),
    picture("BMP"),
    picture("AVIF"),
    picture("TIFF"),
    b"%PDF-1.7 " + b"x" * 90,
    b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(60),
    b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
]
TYPES = [
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/bmp",
    "image/avif",
    "image/tiff",
    "application/pdf",
    "image/heic",
    "image/svg+xml",
]


def encode(data: bytes, *, url_safe: bool = False, padding: bool = True, slashes: int = 0) -> str:
    run = (base64.urlsafe_b64encode(data) if url_safe else base64.b64encode(data)).decode()
    return (run if padding else run.rstrip("=")).replace("/", "\\" * slashes + "/")


def put_back(body: bytes, content_type: str = "") -> tuple[bytes, list[bytes]]:
    made = cut(body, content_type)
    kept = {find.sha256: find.data for find in made.finds}
    stored = json.loads(json.dumps(made.cuts))
    return rebuild(made.text, [Cut(*one) for one in stored], kept.__getitem__), [find.data for find in made.finds]


encoded = st.builds(
    lambda data, url_safe, padding, slashes, head: (
        head + encode(data, url_safe=url_safe, padding=padding, slashes=slashes)
    ),
    st.sampled_from(PICTURES),
    st.booleans(),
    st.booleans(),
    st.integers(0, 3),
    st.sampled_from(
        [
            "",
            "data:image/png;base64,",
            "DATA:Image/JPEG;charset=utf-8;BASE64,",
            "data:;base64,",
            "data:image/png;base64,\\n",
        ]
    ),
)
text = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40)
json_value = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | text | encoded,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(json_value, st.booleans())
def test_any_json_body_is_rebuilt_to_the_byte(value: object, ascii_only: bool) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert put_back(body)[0] == body


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300) | st.lists(encoded.map(str.encode) | st.binary(max_size=30), max_size=6).map(b'"'.join))
def test_any_bytes_at_all_are_rebuilt_to_the_byte(body: bytes) -> None:
    assert put_back(body)[0] == body


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(text, st.sampled_from(PICTURES) | st.binary(max_size=60), st.booleans()), max_size=4))
def test_any_form_is_rebuilt_to_the_byte(fields: list[tuple[str, bytes, bool]]) -> None:
    parts = [
        b'--bnd\r\ncontent-disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
        % (name.encode(), b'; filename="f"' if file else b"", data)
        for name, data, file in fields
    ]
    body = b"".join(parts) + b"--bnd--\r\n"
    assert put_back(body, "multipart/form-data; boundary=bnd")[0] == body


@pytest.mark.parametrize(("data", "media_type"), list(zip(PICTURES, TYPES, strict=True)), ids=TYPES)
def test_every_type_is_found_by_its_content_whatever_is_declared(data: bytes, media_type: str) -> None:
    made = cut(json.dumps({"any": {"where": [data_url(data, "image/x-wrong")]}}).encode())
    assert [find.sniffed and find.sniffed.media_type for find in made.finds] == [media_type]
    assert made.finds[0].data == data
    assert base64.b64encode(data)[:40] not in made.text


@pytest.mark.parametrize(
    "run",
    [
        encode(PICTURES[1]),
        encode(PICTURES[1], url_safe=True),
        encode(PICTURES[1], padding=False),
        encode(PICTURES[1], slashes=1),
        encode(PICTURES[0], slashes=3),
    ],
    ids=["plain", "url-safe", "no padding", "escaped slashes", "twice escaped"],
)
def test_bare_base64_is_known_by_its_magic_bytes(run: str) -> None:
    body = b'{"deep": ["' + run.encode() + b'"]}'
    rebuilt, found = put_back(body)
    assert rebuilt == body
    assert found[0] in (PICTURES[0], PICTURES[1])
    assert len(cut(body).text) < 120


def test_json_nested_in_strings_is_looked_into() -> None:
    inner = json.dumps({"shot": data_url(PICTURES[0])})
    body = json.dumps({"arguments": json.dumps({"again": inner})}).encode()
    rebuilt, found = put_back(body)
    assert (rebuilt, found) == (body, [PICTURES[0]])


def test_a_run_that_cannot_be_written_again_is_found_but_left_in_place() -> None:
    two_ways = encode(PICTURES[0]).replace("A", "\\u0041", 1)
    made = cut(b'{"x": "data:image/png;base64,' + two_ways.encode() + b'"}')
    assert [find.data for find in made.finds] == [PICTURES[0]]
    assert made.cuts == []


def spelled(char: str, how: str) -> str:
    """One character as JSON may write it; `how` is one of the names in `SPELLINGS`."""
    code = f"u{ord(char):04x}"
    return {"plain": char, "code": f"\\{code}", "upper": f"\\u{ord(char):04X}", "slash": f"\\{char}"}[how]


SPELLINGS = st.sampled_from(["plain", "code", "upper"])
SLASHES = st.sampled_from(["plain", "code", "upper", "slash"])


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(PICTURES),
    st.sampled_from(["data:image/png;base64,", ""]),
    st.randoms(),
    st.integers(0, 3),
    st.data(),
)
def test_any_spelling_that_json_allows_gives_the_whole_picture(
    data: bytes, head: str, chance: random.Random, levels: int, draw: st.DataObject
) -> None:
    """`levels` are how often JSON was put into JSON around it."""
    if not head and data.startswith(b"<svg"):
        return
    wanted = head + encode(data)
    fixed = {char: draw.draw(SLASHES if char == "/" else SPELLINGS) for char in set(wanted)}
    regular = draw.draw(st.booleans())
    pick = (lambda char: fixed[char]) if regular else (lambda char: chance.choice(["plain", "code", "upper"]))
    text = '"' + "".join(spelled(char, pick(char)) for char in wanted) + '"'
    for _ in range(levels):
        text = json.dumps(f'{{"in": {text}}}')
    body = text.encode()
    made = cut(body)
    assert [find.data for find in made.finds] == [data]
    assert put_back(body)[0] == body
    assert not regular or made.cuts


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("data:image/png;name=a,b.png;base64,", ""),
        ('data:image/png;name=\\"a,b.png\\";base64,', ""),
        ("data:image\\u002Fpng\\u003Bbase64\\u002C", ""),
        ("![shot](data:image/png;base64,", ") what is it?"),
        ("data:image/png;base64,", " and what is it?"),
        ("data:image/png;base64, ", ""),
    ],
)
def test_a_picture_ends_where_its_base64_ends(before: str, after: str) -> None:
    body = f'{{"x": "{before}{encode(PICTURES[1])}{after}"}}'.encode()
    assert [find.data for find in cut(body).finds] == [PICTURES[1]]
    assert put_back(body)[0] == body


@pytest.mark.parametrize("per_line", [60, 64, 76, 500])
@pytest.mark.parametrize("ending", ["\\n", "\\r\\n", "\\\\n", "%0A", "\\u000a"])
def test_base64_over_lines_is_cut_whole(per_line: int, ending: str) -> None:
    run = encode(picture("PNG", (90, 90)), slashes=1)
    lines = encode(picture("PNG", (90, 90)))
    wrapped = ending.join(lines[at : at + per_line].replace("/", "\\/") for at in range(0, len(lines), per_line))
    body = f'{{"x": "data:image/png;base64,{wrapped}"}}'.encode()
    made = cut(body)
    assert [find.data for find in made.finds] == [picture("PNG", (90, 90))]
    assert made.cuts
    assert len(made.text) < len(run) // 2
    assert put_back(body)[0] == body


@pytest.mark.parametrize("levels", [0, 1, 2])
def test_an_svg_that_is_not_encoded_is_found_whole(levels: int) -> None:
    svg = "<svg xmlns='http://www.w3.org/2000/svg' width=\"9\"><text>a, b 50%25 ü</text></svg>"
    text = json.dumps({"url": f"data:image/svg+xml;utf8,{svg}", "more": "x"})
    for _ in range(levels):
        text = json.dumps({"in": text})
    assert [find.data.decode() for find in cut(text.encode()).finds] == [svg.replace("%25", "%")]


def test_equal_pictures_have_one_hash_and_two_places() -> None:
    made = cut(json.dumps([data_url(PICTURES[0]), encode(PICTURES[0])]).encode())
    assert {find.sha256 for find in made.finds} == {hashlib.sha256(PICTURES[0]).hexdigest()}
    assert len(made.cuts) == 2


@pytest.mark.parametrize(
    ("url", "problem"), [("data:image/png;base64,", "is empty"), ("data:image/png;base64,%%%", "does not hold base64")]
)
def test_a_data_url_without_a_picture_says_why(url: str, problem: str) -> None:
    assert (
        problem in cut(json.dumps({"url": url}).encode()).finds[0].problem
        or cut(json.dumps({"url": url}).encode()).finds[0].problem == "the data URL is empty"
    )


def test_plain_words_are_no_pictures() -> None:
    body = json.dumps(
        {"a": "data:text/plain,hello", "b": "Qk" * 10, "c": "see data: x, y", "d": "data:text/plain;base64,aGVsbG8="}
    ).encode()
    assert cut(body).finds == []


def test_percent_encoded_svg_is_found_and_left() -> None:
    made = cut(
        b'{"u": "data:image/svg+xml,%3Csvg xmlns=%22http://www.w3.org/2000/svg%22%3E%3C/svg%3E"}'.replace(
            b"svg xmlns", b"svg%20xmlns"
        )
    )
    assert [find.sniffed and find.sniffed.media_type for find in made.finds] == ["image/svg+xml"]


def test_the_json_test_suite_and_naughty_strings_are_rebuilt(corpora: Path) -> None:
    files = [*(corpora / "json-test-suite").rglob("*.json"), corpora / "blns" / "blns.json"]
    assert len(files) > 300
    for file in files:
        assert put_back(file.read_bytes())[0] == file.read_bytes(), file.name


def test_the_multipart_corpus_is_read_without_harm(corpora: Path) -> None:
    files = [path for path in (corpora / "multipart-cases").rglob("*") if path.is_file()]
    assert len(files) > 50
    for file in files:
        for boundary in ("boundary", "----WebKitFormBoundaryTkr3kCBQlBe1nrhc"):
            assert put_back(file.read_bytes(), f"multipart/form-data; boundary={boundary}")[0] == file.read_bytes()


@pytest.mark.parametrize(
    "body",
    [
        b"data:image/svg+xml;base64," + base64.b64encode(b"<!---->" * 600),
        b'"/9j/' * 40_000,
        b"data:image/png;base64,A " * 40_000 + b'"',
        b"data:," * 100_000,
        b'{"a":"' + (b"data:image/png;base64," + b"A" * 65_600 + b"!") * 300 + b'"}',
    ],
    ids=["comments", "jpeg magics", "data urls", "empty data urls", "long runs"],
)
def test_hostile_bodies_are_read_in_one_pass(body: bytes) -> None:
    """Each of these took minutes, or for ever, with a reader that looks back or ahead without limit."""
    assert put_back(body)[0] == body


def test_no_more_than_the_pictures_is_remembered_of_a_hostile_body() -> None:
    """Each run that did not reach its quote was kept up to there: 64 MB of them were 32 GB."""
    cutter = Cutter()
    cutter.cut(b'{"a":"' + (b"data:image/png;base64," + b"A" * 65_600 + b"!") * 20 + b'"}')
    assert sum(len(run) for run, _, _ in cutter.seen.values()) <= 20 * 65_600


@pytest.mark.parametrize(
    "text", [b"[" * 15_000 + b'"http://",' * 15_000, b'{"a":' * 9_000 + b'"x"', b'"' + b'\\"' * 200_000]
)
def test_hostile_json_is_placed_in_one_pass(text: bytes) -> None:
    assert all(len(place.path) <= 300 for place in strings(text))


@pytest.mark.parametrize(
    ("text", "is_svg"),
    [
        (b"<svg>", True),
        (b"\xef\xbb\xbf <?xml version='1.0'?>\n<!-- a --><!DOCTYPE svg>\n<SVG a='b'>", True),
        (b"<svgx>", False),
        (b"<!-- <svg> ", False),
        (b"<p><svg>", False),
    ],
)
def test_svg_is_known_by_its_first_element(text: bytes, is_svg: bool) -> None:
    assert (sniff(text) is not None) is is_svg


def test_a_picture_that_stands_in_two_bodies_is_decoded_once_and_cut_from_both(monkeypatch: pytest.MonkeyPatch) -> None:
    run = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 400)
    asked, sent = b'{"url":"data:image/png;base64,' + run + b'"}', b'{"data":"' + run + b'","mimeType":"image/png"}'
    decoded: list[int] = []
    decode = cutting.base64_text.decode
    monkeypatch.setattr(base64_text, "decode", lambda run: (decoded.append(len(run)), decode(run))[1])
    cutter = cutting.Cutter()
    one, other = cutter.cut(asked), cutter.cut(sent)
    assert decoded == [len(run)]
    assert one.finds[0].sha256 == other.finds[0].sha256
    assert rebuild(other.text, other.cuts, lambda _: other.finds[0].data) == sent
