"""Constant databases: what qmail's own reader does finds each key, and no other."""

import struct

import pytest

from conformance.pod.cdb import aliases, compiled, hashed
from conformance.reference.programs.verify import keys_of


def found(database: bytes, key: bytes) -> bytes | None:
    """As cdb_seek(3): the pointer that the hash names, the slots from where it says, the record."""
    place, count = struct.unpack_from("<II", database, 8 * (hashed(key) % 256))
    for step in range(count):
        at = (hashed(key) // 256 + step) % count
        value, record = struct.unpack_from("<II", database, place + 8 * at)
        if not record:
            return None
        sizes = struct.unpack_from("<II", database, record)
        if value == hashed(key) and database[record + 8 : record + 8 + sizes[0]] == key:
            return database[record + 8 + sizes[0] :][: sizes[1]]
    return None


def test_each_key_is_found_and_no_other() -> None:
    entries = {b"key %d" % number: b"\0\xff%d" % number for number in range(1000)} | {b"": b""}
    database = compiled(entries.items())
    assert {key: found(database, key) for key in entries} == entries
    assert [found(database, key) for key in (b"key 1000", b"key", b"\0")] == [None] * 3


def test_the_hash_is_that_of_the_specification() -> None:
    # http://cr.yp.to/cdb/cdb.txt: h = ((h << 5) + h) ^ c, beginning with 5381.
    assert [hashed(key) for key in (b"", b"a", b"ab")] == [5381, 177604, 5860902]


@pytest.mark.parametrize("addresses", [[], ["Info@here.example", "@b.example", "root@"]])
def test_a_table_of_aliases_holds_their_keys(addresses: list[str], tmp_path: object) -> None:
    path = f"{tmp_path}/aliases.cdb"
    with open(path, "wb") as file:
        file.write(aliases(addresses))
    assert keys_of(path) == {f":{address.lower()}".encode() for address in addresses}
