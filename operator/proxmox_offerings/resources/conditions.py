"""Conditions as Kubernetes writes them (metav1.Condition), with its bounds."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from proxmox_offerings.resources.model import Model
from proxmox_offerings.resources.scalars import Int, Sentence, Time


class ConditionStatus(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Model):
    """One fact about the object, and why it is so."""

    type: Annotated[str, Field(min_length=1, max_length=64)]
    """What it is about, such as Ready."""
    status: ConditionStatus
    """Whether it holds: True, False or Unknown."""
    reason: Annotated[str, Field(min_length=1, max_length=128)]
    """Why, as one documented word, such as PrivilegesMissing."""
    message: Sentence = ""
    """Why, as a sentence for people, saying what to do."""
    last_transition_time: Time
    """When `status` changed last."""
    observed_generation: Annotated[Int, Field(ge=0)] | None = None
    """The generation of the object that this was said about."""
