"""Words for people, in the two languages that warnings and the console speak."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class Language(StrEnum):
    """A language that warnings are written in."""

    ZH = "zh"
    EN = "en"


class Text(BaseModel):
    """One phrase in Chinese and English.

    Attributes:
        zh: simplified Chinese.
        en: English.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    zh: str = Field(min_length=1, max_length=2000)
    en: str = Field(min_length=1, max_length=2000)

    def in_language(self, language: Language) -> str:
        """Return the phrase in one language."""
        return self.zh if language is Language.ZH else self.en

    def __str__(self) -> str:
        """Return both languages, Chinese first."""
        return f"{self.zh} / {self.en}"
