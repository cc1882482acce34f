"""Parts of the command line that are imported when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, get_args, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from data_contracts.number import is_number


class Part(NamedTuple):
    """A command or a group of commands: its line in the help, and what imports it."""

    help: str
    load: Callable[[], typer.Typer]


class _Door(TyperCommand):
    """Stands for a part until it is used."""

    def __init__(self, name: str, part: Part) -> None:
        super().__init__(name, help=part.help)
        self._load = part.load

    def make_context(self, info_name: Any, args: Any, parent: Any = None, **extra: Any) -> Any:
        """The context of the part itself, so that the rest goes on with that."""
        app = self._load()
        alone = [known.name for known in app.registered_commands] == [self.name]
        command = get_command(app) if alone else get_group(app)
        for member in _all_of(command):
            _want_plain_digits(member)
        return command.make_context(info_name, args, parent=parent, **extra)


def parts_group(parts: dict[str, Part]) -> type[TyperGroup]:
    """A group of parts; its help, and the completion of their names, import none of them."""

    class Group(TyperGroup):
        def __init__(self, **given: Any) -> None:
            doors = {name: _Door(name, part) for name, part in parts.items()}
            super().__init__(**{**given, "commands": doors})

    return Group


def _all_of(command: Any) -> Iterable[Any]:
    yield command
    for member in getattr(command, "commands", {}).values():
        yield from _all_of(member)


def _want_plain_digits(command: Any) -> None:
    """Refuse for every number of a command what Python alone takes for one, such as 1_0."""
    hints = get_type_hints(command.callback) if command.callback else {}
    for param in command.params:
        kinds = {hints.get(param.name), *get_args(hints.get(param.name))}
        if kinds & {int, float}:
            param.process_value = _plain_number(param, param.process_value)


def _plain_number(param: Any, process: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def checked(ctx: Any, value: Any) -> Any:
        if isinstance(value, str) and not is_number(value):
            told = f"{value!r}: expected a number in plain digits, such as 12 or 0.5"
            raise typer.BadParameter(told, ctx=ctx, param=param)
        return process(ctx, value)

    return checked
