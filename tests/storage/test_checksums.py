"""Checksums against values known elsewhere."""

from lipfd_jax.storage.checksums import hash_file, hash_json, hash_text

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1


def test_files_and_texts_have_their_sha_256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert hash_file(tmp_path / "a") == hash_text("abc") == ABC
    assert hash_text("abc", 16) == ABC[:16]


def test_the_order_of_keys_does_not_count():
    assert hash_json({"a": 1, "b": [2]}) == hash_json({"b": [2], "a": 1}) == hash_text('{"a": 1, "b": [2]}')
    assert hash_json([1, 2]) != hash_json([2, 1])
