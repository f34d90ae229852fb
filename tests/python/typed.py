"""What a user's type checker says of a program: this file passes `mypy --strict`, and each line that it marks is refused."""
from __future__ import annotations

import octavo

model = octavo.Model("directory", math="bf16")
answer: octavo.Generation = model.generate("Where is it?", ["picture.png"], max_new_tokens=20, temperature=0)
text: str = answer.text
box: tuple[float, float, float, float] = answer.boxes[0]
said: octavo.Generation = model.generate([{"role": "user", "content": "Hello"}], [b"bytes"], stop="}", log_probs=True)
first: float | None = said.log_probs[0] if said.log_probs else None
pieces: list[str] = list(model.generate("Where is it?", stream=True))
model.generate("Where is it?", tempratur=1)  # type: ignore[call-overload]
model.generate("Where is it?", max_new_tokens="many")  # type: ignore[call-overload]
session = octavo.Session(model, cache_dtype="s8")
turn: octavo.Generation = session.generate(form={"type": "object"})
session.generate(stream=True, on_token=print)  # type: ignore[call-overload]
done: list[octavo.Finished] = octavo.Batch(model).step()
passed: bool = octavo.verify("original", "quantized", samples="samples.jsonl").passed
octavo.verify("original")  # type: ignore[call-arg]
shape: tuple[int, ...] = octavo.Tensor.zeros((2, 3)).shape
try:
    octavo.check("directory")
except octavo.ShapeError as error:
    expected: int = error.expected
