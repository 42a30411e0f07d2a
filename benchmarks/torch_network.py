"""The same network in PyTorch, written for the benchmarks: the other side of every ratio.

Module names follow the released state dict, so that its weights load into both sides by the same table.
"""

import torch
from torch import nn
from torch.nn import functional

from lipfd_jax.models.backbones import BACKBONES
from lipfd_jax.models.encoders import ENCODERS
from lipfd_jax.models.resnet import ResNetConfig
from lipfd_jax.models.vit import ViTConfig


class Block(nn.Module):
    """A residual block of the backbone."""

    def __init__(self, inputs: int, width: int, stride: int, bottleneck: bool):
        super().__init__()
        outputs = width * (4 if bottleneck else 1)
        first = (inputs, width, 1, 1) if bottleneck else (inputs, width, 3, stride)
        self.conv1, self.bn1 = conv(*first), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv(width, width, 3, stride if bottleneck else 1), nn.BatchNorm2d(width)
        if bottleneck:
            self.conv3, self.bn3 = conv(width, outputs, 1, 1), nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu_()))
        if hasattr(self, "conv3"):
            y = self.bn3(self.conv3(y.relu_()))
        return y.add_(x if self.downsample is None else self.downsample(x)).relu_()


class Backbone(nn.Module):
    """A ResNet with the two heads of LipFD, which the released code keeps in it."""

    def __init__(self, config: ResNetConfig, features: int):
        super().__init__()
        self.conv1, self.bn1 = conv(3, config.width, 7, 2), nn.BatchNorm2d(config.width)
        inputs = config.width
        for stage, depth in enumerate(config.depths):
            blocks = []
            for number in range(depth):
                stride = 2 if stage and not number else 1
                blocks.append(Block(inputs, config.width * 2**stage, stride, config.bottleneck))
                inputs = config.width * 2**stage * (4 if config.bottleneck else 1)
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.get_weight = nn.Sequential(nn.Linear(inputs + features, 1), nn.Sigmoid())
        self.fc = nn.Linear(inputs + features, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.max_pool2d(self.bn1(self.conv1(x)).relu_(), 3, 2, 1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean((2, 3))


class EncoderBlock(nn.Module):
    """A block of the image encoder."""

    def __init__(self, config: ViTConfig):
        super().__init__()
        width = config.width
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, config.heads)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, 4 * width), "c_proj": nn.Linear(4 * width, width)})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False)[0]
        y = self.mlp["c_fc"](self.ln_2(x))
        return x + self.mlp["c_proj"](y * torch.sigmoid(1.702 * y))


class Encoder(nn.Module):
    """CLIP's image encoder; tokens first, then batch, as in CLIP."""

    def __init__(self, config: ViTConfig, image_size: int):
        super().__init__()
        width = config.width
        self.conv1 = nn.Conv2d(3, width, config.patch, config.patch, bias=False)
        self.class_embedding = nn.Parameter(0.02 * torch.randn(width))
        tokens = (image_size // config.patch) ** 2 + 1
        self.positional_embedding = nn.Parameter(0.02 * torch.randn(tokens, width))
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.transformer = nn.Module()
        self.transformer.resblocks = nn.Sequential(*(EncoderBlock(config) for _ in range(config.layers)))
        self.proj = nn.Parameter(width**-0.5 * torch.randn(width, config.features))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.conv1(images).flatten(2).permute(0, 2, 1)
        x = torch.cat([self.class_embedding.expand(len(x), 1, -1), x], 1) + self.positional_embedding
        x = self.transformer.resblocks(self.ln_pre(x).permute(1, 0, 2))
        return self.ln_post(x[0]) @ self.proj


class TorchLipFD(nn.Module):
    """The detector; `separate` calls the backbone once per crop, as the released code does."""

    def __init__(self, encoder: str, backbone: str, image_size: int = 224):
        super().__init__()
        config = ENCODERS[encoder]
        self.conv1 = nn.Conv2d(3, 3, 5, 5)
        self.encoder = nn.Module()
        self.encoder.visual = Encoder(config, image_size)
        self.backbone = Backbone(BACKBONES[backbone], config.features)

    def forward(
        self, image: torch.Tensor, crops: torch.Tensor, *, separate: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """image (B, 3, P, P) and crops (B, 5, 3, 3, C, C) to logits (B,) and region weights (B, 5, 3)."""
        features = self.encoder.visual(self.conv1(image))
        if separate:
            local = torch.stack([self.backbone(crops[:, i, j]) for i in range(5) for j in range(3)], 1)
        else:
            local = self.backbone(crops.flatten(0, 2))
        local = local.reshape(*crops.shape[:3], -1)
        joined = torch.cat([local, features[:, None, None].expand(*crops.shape[:3], -1)], -1)
        weights = torch.softmax(self.backbone.get_weight(joined)[..., 0], -1)
        fused = (weights[..., None] * joined).sum(2).mean(1)
        return self.backbone.fc(fused)[:, 0], weights


def conv(inputs: int, outputs: int, size: int, stride: int) -> nn.Conv2d:
    """A convolution of the backbone."""
    return nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
