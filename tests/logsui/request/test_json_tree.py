"""A body as a tree is whole, without its base64."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.models import Image, LogImage
from logsui.request.json_tree import Node, Tree

values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


def image(**fields: Any) -> LogImage:
    usual = {
        "sha256": "a" * 64,
        "media_type": "image/jpeg",
        "size": 3000,
        "width": 800,
        "height": 600,
        "thumbnail": "made",
    }
    own = {name: fields.pop(name) for name in ("source", "declared_type", "detail", "direction") if name in fields}
    kept = {"direction": "input", "index": 0, "source": "data"}
    return LogImage(image=Image(**usual | fields), **kept | own)


def known(node: Node, tree: Tree) -> Any:
    """The value that a reader gets who unfolds every branch."""
    node = node if node.is_open or not node.count else tree.at(node.pointer)
    if node.kind == "object":
        return {one.name: known(one, tree) for one in node.children}
    if node.kind == "array":
        return [known(one, tree) for one in node.children]
    text = "".join(piece.text for piece in node.pieces)
    return text if node.kind == "text" else json.loads(text)


@given(values)
def test_unfolding_a_tree_shows_the_whole_body(value: Any) -> None:
    tree = Tree(json.dumps(value).encode(), [])
    assert known(tree.root(), tree) == json.loads(json.dumps(value).encode("utf-8", "replace"))


def test_a_tree_shows_pictures_in_their_place_and_no_base64() -> None:
    one = image()
    text = f"data:image/jpeg;base64,sha256:{one.image_id} and {'A' * 5000}"
    node = Tree(json.dumps([text]).encode(), [one]).at("/0")
    assert [piece.image for piece in node.pieces] == [None, one, None]
    assert len(node.pieces[2].text) < 100
