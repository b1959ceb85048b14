"""tshark's failures become one line each, and its JSON is read a frame at a time."""

import os
import stat
from pathlib import Path

import pytest

from lab.evidence import dissect as dissecting
from lab.evidence.dissect import DissectionFailed, dissect, reason_of, stream_packets, stream_tshark


def says(folder: Path, output: str, complaint: str = "", status: int = 0) -> Path:
    """Put a program in tshark's place that says what is given; return a capture for it."""
    (folder / "out").write_text(output)
    program = folder / "tshark"
    program.write_text(f"#!/bin/sh\n/bin/cat {folder / 'out'}\necho '{complaint}' >&2\nexit {status}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    capture = folder / "capture.pcapng"
    capture.touch()
    return capture


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin")
    return tmp_path


TWO = """[
  {
    "_source": {
      "layers": {
        "frame": "1",
        "text": "  } {"
      }
    }
  },
  {
    "_source": {
      "layers": {
        "frame": "2"
      }
    }
  }
]
"""


def test_a_missing_capture_is_named(tmp_path: Path) -> None:
    with pytest.raises(DissectionFailed, match="no such capture"):
        dissect(tmp_path / "capture.pcapng")


def test_without_tshark_the_reason_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "capture.pcapng").touch()
    with pytest.raises(DissectionFailed, match="tshark is not installed: run make set-up"):
        list(stream_tshark(tmp_path / "capture.pcapng"))


def test_a_capture_that_is_not_there_is_one_line_when_it_is_streamed_too(tmp_path: Path) -> None:
    with pytest.raises(DissectionFailed, match="no such capture"):
        list(stream_tshark(tmp_path / "none.pcapng"))


def test_each_frame_is_yielded_by_itself(folder: Path) -> None:
    assert list(stream_packets(says(folder, TWO))) == [{"frame": "1", "text": "  } {"}, {"frame": "2"}]
    assert list(stream_packets(says(folder, "[\n]\n"))) == []


def test_output_that_is_cut_off_is_no_json(folder: Path) -> None:
    with pytest.raises(DissectionFailed, match="is no JSON"):
        list(stream_packets(says(folder, TWO[:150])))


def test_what_tshark_complains_of_is_the_reason(folder: Path) -> None:
    capture = says(folder, "", 'The file "x" appears to have been cut short in the middle of a packet.', 2)
    with pytest.raises(DissectionFailed, match=r"cannot read .*capture\.pcapng: it is cut short .*; editcap "):
        list(stream_packets(capture))


def test_a_capture_that_carries_too_much_says_how_to_cut_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dissecting, "PAYLOAD_OCTETS_MAX", 3)
    fields = ["1", "1.5", "10.0.0.1", "10.0.0.2", "", "", "", "5060", "5060", "", "00ff", "", "", "", ""]
    assert dissect(says(folder, "\t".join(fields) + "\n")).payloads[0].octets == b"\x00\xff"
    capture = says(folder, ("\t".join(fields) + "\n") * 2)
    with pytest.raises(DissectionFailed, match="over 3 octets in its TCP and UDP; cut a part out: editcap"):
        dissect(capture)


def test_a_capture_with_too_many_messages_says_how_to_cut_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dissecting, "FRAMES_MAX", 1)
    with pytest.raises(DissectionFailed, match="over 1 frames with SIP, Diameter or HTTP; cut a part out: editcap"):
        list(stream_packets(says(folder, TWO)))


def test_where_one_pass_fails_the_other_is_ended_too(folder: Path, tmp_path: Path) -> None:
    """A large capture is not read to its end for a verdict that nobody will see."""
    capture, begun = says(folder, ""), tmp_path / "begun"
    json_fails = f"case $* in *json*) while [ ! -e {begun} ]; do :; done; exit 2;; esac"
    (folder / "tshark").write_text(f"#!/bin/sh\n{json_fails}\necho >{begun}\nexec sleep 600\n")
    with pytest.raises(DissectionFailed, match="no reason given"):
        dissect(capture)


def test_what_is_no_capture_is_called_that() -> None:
    said = ["tshark: The file isn't a capture file in a format TShark understands."]
    assert reason_of(said, Path("x")) == "it is no capture; wanted a .pcap or .pcapng"


def test_where_the_pass_over_all_frames_fails_its_reason_is_told_at_once(folder: Path) -> None:
    """Too large a capture is refused when the faster of the two passes knows."""
    capture = says(folder, "")
    (folder / "tshark").write_text(
        "#!/bin/sh\ncase $* in *json*) exec /bin/sleep 600;; esac\necho 'tshark: too strange' >&2; exit 2\n"
    )
    with pytest.raises(DissectionFailed, match=r"tshark: too strange$"):
        dissect(capture)
