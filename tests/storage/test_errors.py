"""Errors of the machine are distinguished from faults of a file."""

import errno

from lipfd_jax.storage.errors import find_os_error

TENSORSTORE = "RESOURCE_EXHAUSTED: Error writing local file: No space left on device [os_error_code='28']"


def test_the_system_s_error_is_found_in_and_behind_others():
    behind = RuntimeError("saving failed")
    behind.__cause__ = OSError(errno.EIO, "Input/output error")
    assert find_os_error(ValueError(TENSORSTORE), "there").errno == errno.ENOSPC
    assert find_os_error(behind, "there").errno == errno.EIO
    full = RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)")
    assert find_os_error(full, "there").errno == errno.ENOSPC


def test_a_full_disk_says_what_to_do_and_a_damaged_file_is_none():
    message = str(find_os_error(ValueError(TENSORSTORE), "there"))
    assert "disk is full: free some space and run the same command again" in message
    assert "there" in message
    assert find_os_error(ValueError("DATA_LOSS: checksum"), "there") is None
