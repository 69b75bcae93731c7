"""The base classes of all wire models. What we send is checked strictly; what we read is read tolerantly.

A number may come as a string and a string as a number, and anything may be null or missing. A value of a
wrong type counts as missing, so that one wrong field never hides the others.
"""

from typing import Annotated, Any

from pydantic import AliasGenerator, BaseModel, BeforeValidator, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel

from parcelgate.carriers.toolkit.bodies import text, whole_text


class Sent(BaseModel):
    """A body, or a part of one, that we send: made with our names, written with the carrier's."""

    model_config = ConfigDict(
        alias_generator=AliasGenerator(serialization_alias=to_camel),
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    def fields(self) -> dict[str, Any]:
        """Return the fields that are sent, by the carrier's names; absent ones are left out."""
        return self.model_dump(by_alias=True, exclude_none=True)


class Read(BaseModel):
    """A body, or a part of one, that a carrier sent. Unknown fields are kept in `model_extra`."""

    model_config = ConfigDict(alias_generator=to_camel, extra="allow", frozen=True, hide_input_in_errors=True)


Required = Annotated[str, StringConstraints(strict=True, min_length=1)]
"""A text that we send; it is not empty."""

Text = Annotated[str | None, BeforeValidator(text)]
"""A text that we read, if it is readable."""

WholeText = Annotated[str | None, BeforeValidator(whole_text)]
"""A text that we read in its whole length: a document, or the address of one."""
