"""Real images to score on: the hand-written digits of scikit-learn, and a ShuffleNet that learns
them in seconds."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from sklearn.datasets import load_digits
from torch import nn

from pipeline.accuracy.image_folder import pixels, read_image_folder
from pipeline.models.zoo import build

MODEL, SIDE, CLASSES, SEED = "shufflenet-0.25x-g1", 64, 10, 7
# Every n-th image is kept to score on; the network never sees it.
KEPT = 6
EPOCHS, BATCH = 5, 32


def write_digits(folder: Path) -> tuple[Path, Path]:
    """Folders of images to learn from and to score on, a class each digit; 8x8 pixels, scaled."""
    digits = load_digits()
    for number, (image, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        part = "score" if number % KEPT == 0 else "learn"
        place = folder / part / str(label)
        place.mkdir(parents=True, exist_ok=True)
        grey = Image.fromarray((image * 255 / 16).astype("uint8"))
        grey.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(place / f"{number}.png")
    return folder / "learn", folder / "score"


def learn(folder: Path, weights: Path) -> None:
    """Train the network on a folder, and write its state dict."""
    torch.manual_seed(SEED)
    print(f"seed {SEED}")
    images = read_image_folder(folder).images
    x = torch.from_numpy(np.stack([pixels(image.path, SIDE, SIDE) for image in images]))
    y = torch.tensor([image.label for image in images])
    module = build(MODEL, CLASSES).train()
    steps = EPOCHS * -(-len(y) // BATCH)
    optimiser = torch.optim.AdamW(module.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, steps)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(y)).split(BATCH):
            optimiser.zero_grad()
            nn.functional.cross_entropy(module(x[chosen]), y[chosen]).backward()
            optimiser.step()
            schedule.step()
    save_file(module.state_dict(), weights)
