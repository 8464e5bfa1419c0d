#!/usr/bin/env python3
"""Turns flat receipt scans into believable phone photos: a table under them, perspective, shadow, warm or cold light, blur,
noise, JPEG, and an EXIF orientation that only a viewer that honours it turns upright.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python phone.py --receipts DIR --out DIR [--seed 1] [--only N] [--names FILE] [--hard 0..1]

The same seed gives the same photos. Labels stay those of the scans (same file names).
"""
import argparse, pathlib, random
import cv2, numpy as np
from PIL import Image


def table(rng, height, width):
    base = np.array([rng.randint(20, 200) for _ in range(3)], np.float32)
    grain = np.random.RandomState(rng.randint(0, 2**31)).normal(0, 1, (height // 8 + 1, width // 8 + 1, 1)).astype(np.float32)
    grain = cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
    streaks = np.sin(np.linspace(0, rng.uniform(20, 90), width))[None, :, None] * rng.uniform(0, 10)
    return np.clip(base + grain * rng.uniform(2, 14) + streaks, 0, 255)


def photo(scan, rng, hard):
    height, width = scan.shape[:2]
    scale = rng.uniform(2200, 3600) / max(height, width)
    scan = cv2.resize(scan, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    height, width = scan.shape[:2]
    margin = int(rng.uniform(0.04, 0.18) * max(height, width))
    canvas_h, canvas_w = height + 2 * margin, width + 2 * margin
    jolt = hard * 0.06 * max(height, width)
    corners = np.float32([[0, 0], [width, 0], [width, height], [0, height]])
    target = corners + margin + np.float32([[rng.uniform(-jolt, jolt), rng.uniform(-jolt, jolt)] for _ in range(4)])
    turn = cv2.getRotationMatrix2D((canvas_w / 2, canvas_h / 2), rng.uniform(-1, 1) * 8 * hard, 1.0)
    target = (np.c_[target, np.ones(4)] @ turn.T).astype(np.float32)
    warp = cv2.getPerspectiveTransform(corners, target)
    if hard > 0.3:  # a gentle curl of the paper
        ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
        bend = hard * rng.uniform(2, 9) * np.sin(ys / height * np.pi * rng.uniform(0.7, 2.2) + rng.uniform(0, 6))
        scan = cv2.remap(scan, xs + bend.astype(np.float32), ys, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    paper = cv2.warpPerspective(scan, warp, (canvas_w, canvas_h), flags=cv2.INTER_CUBIC)
    mask = cv2.warpPerspective(np.full((height, width), 255, np.uint8), warp, (canvas_w, canvas_h))
    mask = cv2.GaussianBlur(mask, (0, 0), 1.2).astype(np.float32)[..., None] / 255
    out = paper.astype(np.float32) * mask + table(rng, canvas_h, canvas_w) * (1 - mask)
    ys, xs = np.mgrid[0:canvas_h, 0:canvas_w].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    across = (np.cos(angle) * xs / canvas_w + np.sin(angle) * ys / canvas_h)
    light = 1 - hard * rng.uniform(0.1, 0.45) * (across - across.min()) / np.ptp(across)
    edge = rng.uniform(0.2, 0.8)  # the shadow of a hand
    light *= 1 - hard * rng.uniform(0, 0.35) / (1 + np.exp(-(across - edge) * rng.uniform(8, 60)))
    tint = np.array([rng.uniform(0.86, 1.0), rng.uniform(0.94, 1.0), rng.uniform(0.9, 1.0)], np.float32)
    out = out * light[..., None] * tint * rng.uniform(0.75, 1.05)
    out = cv2.GaussianBlur(out, (0, 0), 0.4 + hard * rng.uniform(0, 1.6))
    noise = np.random.RandomState(rng.randint(0, 2**31)).normal(0, 1 + 6 * hard * rng.random(), out.shape)
    return np.clip(out + noise, 0, 255).astype(np.uint8)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--receipts", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, default=0)
    parser.add_argument("--names", type=pathlib.Path, help="a file with the names of those wanted, one a line")
    parser.add_argument("--hard", type=float, default=0.6)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    names = sorted(p for p in args.receipts.iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if args.names:
        wanted = set(args.names.read_text().split("\n"))
        names = [p for p in names if p.name in wanted]
    for path in names[: args.only or None]:
        rng = random.Random(f"{args.seed}/{path.name}")
        image = photo(cv2.imread(str(path)), rng, args.hard)
        orientation = rng.choice([1, 1, 3, 6, 6, 8])  # how phones were held
        turned = {1: image, 3: cv2.rotate(image, cv2.ROTATE_180), 6: cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE),
                  8: cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE)}[orientation]
        exif = Image.Exif()
        exif[0x0112] = orientation
        exif[0x010F], exif[0x0110] = "Slipstream", "phone.py"
        Image.fromarray(cv2.cvtColor(turned, cv2.COLOR_BGR2RGB)).save(
            args.out / path.name, "JPEG", quality=rng.randint(70, 94), exif=exif)


if __name__ == "__main__":
    main()
