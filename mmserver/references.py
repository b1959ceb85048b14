"""Labels of the reference points, in one place: X and Y have no final numbers yet (TS 23.280 CR, 7.5)."""

from typing import Final

CSC_4: Final = "CSC-4"
CSC_X: Final = "CSC-X"
CSC_Y: Final = "CSC-Y"
CSC_17: Final = "CSC-17"
AAA_2: Final = "AAA-2"
