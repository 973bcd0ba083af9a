"""Images that are no files: read from any thread, found again by what the index keeps of them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from index_makers import folder_config, index_config, write_images, write_jsonl
from PIL import Image

import imaging
import indexer.images.parquet as parquet_images_module
from indexer import Example, SourceFailure, SourceImage, build_index
from indexer.database import connect, content_hash
from indexer.images import ArrowImage, FileImage, ImageRef, ParquetImage, ZipImage, image_ref
from indexer.ledger import Known
from indexer.manifest import DATABASE
from indexer.pipeline import Ready, Unchanged, prepare


def png(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((8, 9, 3), (shade % 256, shade // 256, 7), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def write_zip(path: Path, images: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in images.items():
            packed.writestr(name, data)
    return path


def write_parquet(path: Path, images: Sequence[bytes | None], rows_a_group: int, column: str = "image") -> Path:
    """In the hub's form: a struct of bytes and path, `datasets`' own feature Image.

    https://huggingface.co/docs/datasets/about_dataset_features#image-feature
    """
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    values = [{"bytes": data, "path": f"{n}.png"} if data else None for n, data in enumerate(images)]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    pq.write_table(pa.table({column: pa.array(values, kind)}), path, row_group_size=rows_a_group)
    return path


def write_arrow(path: Path, images: Sequence[bytes | None], column: str = "image", stream: bool = True) -> Path:
    """In the hub's form, as a stream of batches, which is how `datasets` saves them, or as a file."""
    pa = pytest.importorskip("pyarrow")
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    cells = pa.array([{"bytes": data, "path": None} if data else None for data in images], kind)
    table = pa.table({column: cells, "bare": pa.array(list(images), pa.large_binary())})
    opened = pa.ipc.new_stream if stream else pa.ipc.new_file
    with pa.OSFile(str(path), "wb") as sink, opened(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    return path


def parquet_images(path: Path, count: int, rows_a_group: int) -> list[ImageRef]:
    return [ParquetImage(str(path), n, n // rows_a_group, n % rows_a_group) for n in range(count)]


@pytest.fixture
def gif(tmp_path: Path) -> Path:
    frames = [Image.new("RGB", (6, 5), (shade, 0, 0)) for shade in (10, 120, 230)]
    frames[0].save(tmp_path / "three.gif", save_all=True, append_images=frames[1:])
    return tmp_path / "three.gif"


def test_each_kind_gives_the_bytes_of_its_file(tmp_path: Path, gif: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(1))
    write_zip(tmp_path / "p.zip", {"in/b.png": png(2)})
    write_parquet(tmp_path / "t.parquet", [png(n) for n in range(3, 6)], 2)
    assert image_ref(str(tmp_path / "a.png")).read() == png(1)
    assert image_ref(f"{tmp_path / 'p.zip'}!in/b.png").read() == png(2)
    assert image_ref(f"{tmp_path / 't.parquet'}!2").read() == png(5)
    assert image_ref(f"{gif}#frame=2").read() == gif.read_bytes()


def test_each_kind_gives_the_pixels_and_the_hash_of_its_bytes(tmp_path: Path, gif: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(1))
    packed = write_zip(tmp_path / "p.zip", {"in/b.png": png(2)})
    table = write_parquet(tmp_path / "t.parquet", [png(n) for n in range(5)], 2)
    refs: list[ImageRef] = [
        FileImage(str(tmp_path / "a.png")),
        FileImage(f"{gif}#frame=2"),
        ZipImage(str(packed), "in/b.png"),
        ParquetImage(str(table), 3, 1, 1),
        ArrowImage(str(write_arrow(tmp_path / "s.arrow", [png(n) for n in range(5)])), 4),
        ArrowImage(str(write_arrow(tmp_path / "f.arrow", [png(n) for n in range(5)], stream=False)), 3, "bare"),
    ]
    shown = [ref.load().pixels[0, 0].tolist() for ref in refs]
    assert shown[0] == [1, 0, 7]
    assert shown[1][0] in range(110, 130)
    assert shown[2:] == [[2, 0, 7], [3, 0, 7], [4, 0, 7], [3, 0, 7]]
    for ref in refs:
        loaded = ref.load()
        assert ref.sha256() == loaded.sha256
        assert loaded.name == str(ref)


def test_what_is_kept_names_the_place_and_is_read_back(tmp_path: Path, gif: Path) -> None:
    packed = write_zip(tmp_path / "train_images.zip", {"train/ROCOv2_2023_train_000001.jpg": png(2)})
    table = write_parquet(tmp_path / "train-00000-of-00013.parquet", [png(n) for n in range(7)], 3)
    refs: dict[str, ImageRef] = {
        f"{gif}#frame=3": FileImage(f"{gif}#frame=3"),
        f"{packed}!train/ROCOv2_2023_train_000001.jpg": ZipImage(str(packed), "train/ROCOv2_2023_train_000001.jpg"),
        f"{table}!5": ParquetImage(str(table), 5, 1, 2),
        f"{table}!6#column=scan #2": ParquetImage(str(table), 6, 2, 0, "scan #2"),
        f"{tmp_path}/data-00000-of-00001.arrow!7": ArrowImage(f"{tmp_path}/data-00000-of-00001.arrow", 7),
        f"{tmp_path}/x.arrow!7#column=picture": ArrowImage(f"{tmp_path}/x.arrow", 7, "picture"),
        f"{tmp_path}/A.ZIP!in/b.png": ZipImage(f"{tmp_path}/A.ZIP", "in/b.png"),
        f"{tmp_path}/a.zip!in/b.zip!c.png": ZipImage(f"{tmp_path}/a.zip", "in/b.zip!c.png"),
        f"{tmp_path}/x.parquet!y.png": FileImage(f"{tmp_path}/x.parquet!y.png"),
    }
    for text, ref in refs.items():
        assert str(ref) == text
        assert image_ref(text) == ref
    with pytest.raises(imaging.ImageError, match="has no such row"):
        image_ref(f"{table}!7")


def test_what_cannot_be_read_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = write_zip(tmp_path / "p.zip", {"a.png": png(1), "empty.png": b"", "large.png": bytes(3000)})
    damaged = bytearray(packed.read_bytes())
    damaged[45:60] = bytes(15)
    (tmp_path / "damaged.zip").write_bytes(damaged)
    (tmp_path / "none.zip").write_bytes(b"no zip")
    table = write_parquet(tmp_path / "t.parquet", [png(0), None], 2)
    (tmp_path / "none.parquet").write_bytes(b"no parquet")
    torn = write_parquet(tmp_path / "torn.parquet", [png(0)], 1)
    data = torn.read_bytes()
    torn.write_bytes(data[:4] + b"\xff" * 4 + data[8:])  # the head of a page
    (tmp_path / "none.arrow").write_bytes(b"no arrow at all")
    mapped = write_arrow(tmp_path / "s.arrow", [png(0), None])
    monkeypatch.setattr("indexer.images.zips.MAX_BYTES", 2000)
    cases: list[tuple[ImageRef, str]] = [
        (ZipImage(str(packed), "b.png"), "the zip has no such member"),
        (ZipImage(str(packed), "empty.png"), "the file is empty"),
        (ZipImage(str(packed), "large.png"), "3,000 bytes, over the limit of 2,000"),
        (ZipImage(str(tmp_path / "damaged.zip"), "a.png"), "the zip is damaged"),
        (ZipImage(str(tmp_path / "none.zip"), "a.png"), "the zip is damaged"),
        (ZipImage(str(tmp_path / "gone.zip"), "a.png"), "no such file"),
        (ZipImage(str(tmp_path), "a.png"), "cannot be read: Is a directory"),
        (ParquetImage(str(table), 1, 0, 1), "holds no image bytes in 'image'"),
        (ParquetImage(str(table), 9, 0, 9), "no such row"),
        (ParquetImage(str(table), 9, 4, 0), "no such row"),
        (ParquetImage(str(table), 0, 0, 0, "picture"), "no column 'picture'"),
        (ParquetImage(str(tmp_path / "none.parquet"), 0, 0, 0), "cannot be read"),
        (ParquetImage(str(tmp_path / "gone.parquet"), 0, 0, 0), "no such file"),
        (ParquetImage(str(torn), 0, 0, 0), "cannot be read"),
        (ArrowImage(str(mapped), 1), "holds no image bytes in 'image'"),
        (ArrowImage(str(mapped), 1, "bare"), "holds no image bytes in 'bare'"),
        (ArrowImage(str(mapped), 2), "no such row"),
        (ArrowImage(str(mapped), 0, "picture"), "no column 'picture'"),
        (ArrowImage(str(tmp_path / "none.arrow"), 0), "cannot be read"),
        (ArrowImage(str(tmp_path / "gone.arrow"), 0), "no such file"),
    ]
    for ref, message in cases:
        with pytest.raises(imaging.ImageError, match=message) as caught:
            ref.load()
        assert str(ref).split("!")[0] in str(caught.value)
        assert "\n" not in str(caught.value)


def test_limits_hold_before_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = write_parquet(tmp_path / "t.parquet", [png(n) for n in range(4)], 4)
    monkeypatch.setattr("indexer.images.parquet.MAX_GROUP_BYTES", 100)
    with pytest.raises(imaging.ImageError, match=r"the images of row group 0 take \d+ bytes, over 100"):
        ParquetImage(str(table), 0, 0, 0).load()
    monkeypatch.undo()
    monkeypatch.setattr("indexer.images.cells.MAX_BYTES", 20)
    with pytest.raises(imaging.ImageError, match="over the limit of 20"):
        ParquetImage(str(table), 0, 0, 0).load()


def test_many_threads_read_the_right_images(tmp_path: Path) -> None:
    packed = write_zip(tmp_path / "p.zip", {f"{n}.png": png(n) for n in range(300)})
    table = write_parquet(tmp_path / "t.parquet", [png(n) for n in range(300)], 100)
    mapped = write_arrow(tmp_path / "s.arrow", [png(n) for n in range(300)])
    refs: list[ImageRef] = [ZipImage(str(packed), f"{n}.png") for n in range(300)]
    refs += [*parquet_images(table, 300, 100), *(ArrowImage(str(mapped), n) for n in range(300))]
    with ThreadPoolExecutor(8) as pool:
        shades = list(pool.map(lambda ref: ref.load().pixels[0, 0].tolist(), refs))
    assert shades == [[n % 256, n // 256, 7] for n in range(300)] * 3
    assert len(parquet_images_module._groups) <= 2


def test_a_file_that_changed_is_read_anew(tmp_path: Path) -> None:
    packed = write_zip(tmp_path / "p.zip", {"a.png": png(1)})
    ref = ZipImage(str(packed), "a.png")
    before = ref.sha256()
    write_zip(packed, {"a.png": png(2), "b.png": png(3)})
    assert ref.sha256() != before
    table = write_parquet(tmp_path / "t.parquet", [png(1)] * 5, 2)
    assert image_ref(f"{table}!4") == ParquetImage(str(table), 4, 2, 0)
    write_parquet(table, [png(1)] * 6, 3)
    assert image_ref(f"{table}!4") == ParquetImage(str(table), 4, 1, 1)
    mapped = write_arrow(tmp_path / "s.arrow", [png(1)])
    before = ArrowImage(str(mapped), 0).sha256()
    write_arrow(tmp_path / "new.arrow", [png(2), png(3)]).replace(mapped)
    assert ArrowImage(str(mapped), 0).sha256() != before


def example(number: int) -> Example:
    return Example(id=f"r{number}", caption=f"caption {number}", source="here")


def test_prepare_keeps_the_order_and_little_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    honest = parquet_images_module._read_group
    counted = lambda path, group, column: (read.append(group), honest(path, group, column))[1]  # noqa: E731
    monkeypatch.setattr(parquet_images_module, "_read_group", counted)
    table = write_parquet(tmp_path / "t.parquet", [png(n) for n in range(40)], 10)
    packed = write_zip(tmp_path / "p.zip", {f"{n}.png": png(n) for n in range(40)})
    asked = 0

    def items() -> Any:
        nonlocal asked
        for number, ref in enumerate(parquet_images(table, 40, 10)):
            asked += 1
            yield SourceImage(example(number), ref if number % 2 else ZipImage(str(packed), f"{number}.png"))

    ready = []
    for item in prepare(items(), lambda _kind, _id: None, ahead=6):
        assert isinstance(item, Ready)
        assert asked <= len(ready) + 6
        ready.append(item)
    assert [item.staged.record.id for item in ready] == [f"r{n}" for n in range(40)]
    assert read == [0, 1, 2, 3]  # each row group once
    assert ready[3].staged.image_path == f"{table}!3"
    assert ready[4].staged.image_path == f"{packed}!4.png"


def test_prepare_knows_unchanged_images_of_each_kind(tmp_path: Path, gif: Path) -> None:
    table = write_parquet(tmp_path / "t.parquet", [png(1)], 1)
    packed = write_zip(tmp_path / "p.zip", {"a.png": png(2)})
    refs: list[ImageRef] = [
        FileImage(f"{gif}#frame=2"),
        ParquetImage(str(table), 0, 0, 0),
        ZipImage(str(packed), "a.png"),
    ]
    items = [SourceImage(example(number), ref) for number, ref in enumerate(refs)]
    first = [item for item in prepare(items, lambda _kind, _id: None, 4) if isinstance(item, Ready)]
    hashes = {item.staged.record.id: item.staged.content_hash for item in first}
    assert len(hashes) == 3
    again = list(prepare(items, lambda _kind, id_: Known(7, hashes[id_]), 4))
    assert again == [Unchanged(7)] * 3
    other_frame = SourceImage(example(0), FileImage(f"{gif}#frame=3"))
    assert isinstance(next(prepare([other_frame], lambda _kind, id_: Known(7, hashes[id_]), 4)), Ready)
    gone = SourceImage(example(0), FileImage(str(tmp_path / "gone.png#frame=1")))
    failure = next(prepare([gone], lambda _kind, _id: Known(7, content_hash(example(0))), 4))
    assert isinstance(failure, SourceFailure)
    assert "cannot be read: No such file" in failure.reason


def test_frames_of_a_file_are_indexed_and_left_alone_the_second_time(tmp_path: Path, gif: Path, hashes: Any) -> None:
    root = gif.parent
    records = write_images(root, 1) + [
        {"id": f"f{n}", "image": f"{gif.name}#frame={n}", "caption": f"frame {n}", "case": "c"} for n in (1, 2, 3)
    ]
    write_jsonl(root / "records.jsonl", records)
    config = index_config(tmp_path / "index", folder_config(root), **hashes.names)
    assert build_index(config).added == 4
    again = build_index(config)
    assert (again.unchanged, again.embedded) == (4, 0)
    with closing(connect(tmp_path / "index" / DATABASE)) as database:
        kept = database.execute("SELECT image_path FROM records WHERE id = 'f2'").fetchone()
    assert kept[0] == f"{gif}#frame=2"
