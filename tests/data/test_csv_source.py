"""Delimited text: what is read from it, and one or two lines for everything that can be wrong with it."""

import gzip
import time
from datetime import datetime

import polars as pl
import pytest

from ml_core.data.csv import Csv


def written(folder, text, name="table.csv"):
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(file)


def read(folder, text, **options):
    return Csv(written(folder, text), **{"target": "y"} | options).read()


def column(table, name="a"):
    return table.frame.collect()[name].to_list()


def numbers(n, odd=None):
    """A file of n rows in which row 17 of column a is ``odd``."""
    lines = [f"{odd if odd is not None and i == 17 else i},{'uv'[i % 2]}" for i in range(1, n + 1)]
    return "a,y\n" + "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    "texts, values, kind",
    [
        (["1", "-2", "+3"], [1, -2, 3], "numeric"),
        (["1", "2.5", "1e3"], [1.0, 2.5, 1000.0], "numeric"),
        (["true", "False", "TRUE"], [True, False, True], "boolean"),
        (["yes", "no", "yes"], ["yes", "no", "yes"], "categorical"),
        (["007", "12", "5"], ["007", "12", "5"], "categorical"),
        (["98765432109876543210", "1", "2"], ["98765432109876543210", "1", "2"], "categorical"),
        (["2024-01-31", "2024-02-01", "?"], [datetime(2024, 1, 31), datetime(2024, 2, 1), None], "date"),
        (["31.01.2024", "1.2.2024", ""], [datetime(2024, 1, 31), datetime(2024, 2, 1), None], "date"),
        (["31/01/2024", "01/02/2024", ""], [datetime(2024, 1, 31), datetime(2024, 2, 1), None], "date"),
        (["2024-01-31 10:30", "", ""], [datetime(2024, 1, 31, 10, 30), None, None], "date"),
        (["2024-01-31T10:30:00.5Z", "2024-01-31T10:30:00+02:00", ""],
         [datetime(2024, 1, 31, 10, 30, 0, 500000), datetime(2024, 1, 31, 8, 30), None], "date"),
        (["?", " NA ", "x y"], [None, None, "x y"], "categorical"),
        (["1", "NaN", "inf"], [1.0, None, float("inf")], "numeric"),
        (["", "?", "null"], [None, None, None], "categorical"),
    ],
)  # fmt: skip
def test_types_come_from_all_values(tmp_path, texts, values, kind):
    table = read(tmp_path, "a,y\n" + "".join(f'"{text}",{i}\n' for i, text in enumerate(texts)))
    assert column(table) == values and table.kinds == {"a": kind}


def test_a_type_is_settled_by_the_last_row_too(tmp_path):
    text = "a,b,y\n" + "".join(f"{i},{i},{i}\n" for i in range(300_000)) + "0.5,000,1\n"
    table = read(tmp_path, text)
    assert dict(table.frame.collect_schema()) == {"a": pl.Float64, "b": pl.String, "y": pl.Int64}
    assert column(table)[-2:] == [299_999.0, 0.5]


def test_prose_is_text_and_short_words_are_categorical(tmp_path):
    rows = "".join(f"item number {i} of many,code {i},{'uvw'[i % 3]},1\n" for i in range(100))
    assert read(tmp_path, "prose,code,few,y\n" + rows).kinds == {
        "prose": "text", "code": "categorical", "few": "categorical",
    }  # fmt: skip


def test_quotes_byte_order_marks_blank_lines_and_line_ends(tmp_path):
    text = '\ufeff\r\n a , y\r\n"x, ""y""\nz",1\r\n\r\nw,2\r\n'
    assert column(read(tmp_path, text)) == ['x, "y"\nz', "w"]


def test_options(tmp_path):
    text = "a;b;c;y\n1,5;x;01.02.2024;1\n-2,25;-;03.02.2024;2\n"
    table = read(
        tmp_path, text, separator=";", decimal=",", missing=["-"], types={"c": "%d.%m.%Y"}, drop=["b"]
    )
    assert table.frame.collect().rows() == [(1.5, datetime(2024, 2, 1), 1), (-2.25, datetime(2024, 2, 3), 2)]


def test_types_override(tmp_path):
    types = {"a": "categorical", "b": "boolean", "c": "numeric", "d": "date", "e": "text"}
    table = read(
        tmp_path, "a,b,c,d,e,y\n1,0,007,2024-01-01 00:00:01,u,1\n2,yes,8,2024-01-02,v,2\n", types=types
    )
    assert table.kinds == types
    moments = [datetime(2024, 1, 1, 0, 0, 1), datetime(2024, 1, 2)]
    first, second = table.frame.collect().rows()
    assert first == ("1", False, 7.0, moments[0], "u", 1) and second == ("2", True, 8.0, moments[1], "v", 2)


def test_latin_1_utf_16_and_gzip(tmp_path):
    text = "größe,y\nä,1\nö,2\n"
    for encoding in ("latin-1", "utf-16"):
        table = Csv(written(tmp_path, text.encode(encoding)), encoding=encoding, target="y").read()
        assert column(table, "größe") == ["ä", "ö"]
    table = Csv(written(tmp_path, gzip.compress(text.encode()), "table.csv.gz"), target="y").read()
    assert column(table, "größe") == ["ä", "ö"]


def test_a_folder_with_spaces_and_letters_of_any_alphabet(tmp_path):
    folder = tmp_path / "größer als 日本"
    folder.mkdir()
    written(folder, "a,y\n1,2\n", "teil 1.csv")
    written(folder, "y,a\n4,3\n", "teil 2.csv")
    table = Csv(str(folder), target="y").read()
    assert table.frame.collect().rows() == [(1, 2), (3, 4)] and "(2 files)" in table.source


def test_projection_filter_and_head_reach_the_reader(tmp_path):
    frame = read(tmp_path, numbers(1000)).frame
    assert frame.select("a").head(3).collect()["a"].to_list() == [1, 2, 3]
    assert frame.filter(pl.col("a") > 998).collect().rows() == [(999, "v"), (1000, "u")]
    assert frame.select(pl.len()).collect().item() == 1000


def test_a_broken_row_far_down_is_named_by_its_line(tmp_path):
    text = "a,y\n" + "1,2\n" * 250_000 + "7\n"
    with pytest.raises(ValueError, match=r"table.csv, line 250002: 1 fields, the header has 2: '7'"):
        read(tmp_path, text)


BAD = {
    "empty": (b"", {}, "table.csv: the file is empty"),
    "blank": (b"\n\n", {}, "the file is empty"),
    "header only": ("a,y\n", {}, "a header and no rows"),
    "delimiter": ("a;y\n1;2\n", {}, r"one column, 'a;y'; set data.separator=\"';'\""),
    "tabs": ("a\ty\n1\t2\n", {}, r"data.separator=\"'\\t'\""),
    "missing target": ("age,income\n1,2\n", {"target": "incme"}, "no column 'incme'; did you mean 'income'"),
    "missing key": ("a,y\n1,2\n", {"key": ["id"]}, r"no column 'id'; it has a, y. Set data.key=\[...\]"),
    "twice": ("a,b,a,y\n1,2,3,4\n", {}, "column names must differ, got a more than once"),
    "reserved": ("_row,y\n1,2\n", {}, "_row is ours"),
    "ragged short": ("a,b,y\n1,2,3\n4,5\n", {}, r"line 3: 2 fields, the header has 3: '4,5'"),
    "ragged long": ("a,b,y\n1,2,3\n4,5,6,7\n", {}, r"line 3: 4 fields, the header has 3"),
    "text in numbers": (numbers(50, "abc"), {}, r"text among the numbers of column 'a' \(row 17: 'abc'\)"),
    "text, told": (numbers(50, "abc"), {"types": {"a": "numeric"}}, "row 17: 'abc' is not a number"),
    "fraction, told": (numbers(50, "1.5"), {"types": {"a": "integer"}}, "'1.5' is not a whole number"),
    "date, told": (numbers(50), {"types": {"a": "%d.%m.%Y"}}, "'1' is not a date like %d.%m.%Y"),
    "unknown type": (numbers(3), {"types": {"a": "big"}}, "data.types.a: got 'big', allowed are numeric"),
    "unknown task": (numbers(3), {"task": "rank"}, "data.task: got 'rank', allowed are auto"),
    "two meanings": ("a,y\n01/02/2024,1\n", {}, "may have the day or the month first; set .data.types.a="),
    "not utf-8": (b"a,y\nx,1\nM\xfcller,2\n", {}, "line 3: byte 0xfc at offset 9 is not utf-8; set data.enc"),
    "header not utf-8": (b"gr\xf6\xdfe,y\n1,2\n", {}, "line 1: byte 0xf6 at offset 2"),
    "utf-16": ("a,y\n1,2\n".encode("utf-16"), {}, "the file is UTF-16; set data.encoding=utf-16"),
    "unknown encoding": ("a,y\n1,2\n", {"encoding": "klingon"}, "no such encoding 'klingon'"),
    "open quote": ('a,y\n1,2\n3,"4\n5,6\n', {}, "a quote \" is opened in the last rows and never closed"),
    "no feature": ("y\n1\n", {}, "no column is left to learn from"),
    "dropped target": ("a,y\n1,2\n", {"drop": ["y"]}, "y is dropped and yet the target"),
    "separator": ("a,y\n1,2\n", {"separator": "::"}, "data.separator: got '::', allowed is one character"),
    "no target": ("a,y\n1,2\n", {"target": None, "task": "regression"}, "regression needs a target"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_told_in_a_line_or_two(tmp_path, name):
    text, options, message = BAD[name]
    with pytest.raises((ValueError, KeyError), match=message) as caught:
        read(tmp_path, text, **options)
    assert "table.csv" in str(caught.value) or "data." in str(caught.value)
    assert len(caught.value.args[0].splitlines()) <= 2 and len(caught.value.args[0]) < 400


def test_missing_file_folder_and_glob(tmp_path):
    written(tmp_path, "a,y\n1,2\n", "other.csv")
    with pytest.raises(FileNotFoundError, match=r"tabel.csv: no such file or folder; .* has other.csv"):
        Csv(str(tmp_path / "tabel.csv")).read()
    with pytest.raises(ValueError, match=r"data.path=.* data.pattern=\*.csv"):
        Csv(str(tmp_path / "*.csv")).read()
    with pytest.raises(FileNotFoundError, match=r"no file in this folder matches data.pattern=\*.tsv"):
        Csv(str(tmp_path), pattern="*.tsv").read()


def test_the_file_with_other_columns_is_named(tmp_path):
    written(tmp_path, "a,y\n1,2\n", "1.csv")
    written(tmp_path, "a,z\n1,2\n", "2.csv")
    with pytest.raises(ValueError, match=r"2.csv: not the columns of .*1.csv: it lacks y and adds z"):
        Csv(str(tmp_path), target="y").read()


def test_other_libraries_names_of_types(tmp_path):
    types = {"a": "Int64", "b": "str", "c": "float", "d": "bool", "e": "datetime"}
    table = read(tmp_path, "a,b,c,d,e,y\n1,2,3,1,2024-01-01,1\n2,3,4,0,2024-01-02,2\n", types=types)
    assert [str(dtype) for dtype in table.frame.collect_schema().dtypes()][:4] == [
        "Int64",
        "String",
        "Float64",
        "Boolean",
    ]
    assert table.kinds == {"a": "numeric", "b": "categorical", "c": "numeric", "d": "boolean", "e": "date"}


def test_a_transposed_table_is_refused_by_its_header(tmp_path):
    path, start = written(tmp_path, ",".join(f"c{i}" for i in range(200_001)) + "\n1\n"), time.process_time()
    with pytest.raises(ValueError, match="200,001 columns, at most 200,000 are read"):
        Csv(path, target="c0").read()
    assert time.process_time() - start < 5


def test_a_wide_table_costs_less_than_a_millisecond_a_column(tmp_path):
    path = written(tmp_path, ",".join(f"c{i}" for i in range(4000)) + "\n" + f"{'1,' * 3999}1\n" * 3)
    start = time.process_time()
    assert len(Csv(path, target="c0").read().kinds) == 3999
    assert time.process_time() - start < 4
