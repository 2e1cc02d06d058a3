"""How a skater moves: its joints at a phase of the stroke. Feet follow a curve; inverse kinematics finds the knees.

Figure coordinates: x forward, y down, the origin on the ice below the hips, 1.0 is the skater's standing height.
Knows nothing about drawing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]  # (n, 2)

THIGH, SHIN, UPPER_ARM, FOREARM, SPINE = 0.245, 0.245, 0.165, 0.15, 0.30
ANKLE = 0.082  # above the ice: boot, holder and blade

# One stroke of a leg as eight keys: ahead of the hips, above the ice, toes down in degrees. The foot glides, pushes
# back until the leg is straight, is lifted, and comes forward again under the body.
STROKE = np.array(
    [(0.15, 0.000, -2.0), (0.12, 0.000, 0.0), (0.06, 0.000, 0.0), (-0.02, 0.000, 2.0),
     (-0.20, 0.004, 12.0), (-0.37, 0.060, 40.0), (-0.30, 0.150, 48.0), (0.03, 0.075, 12.0)]
)  # fmt: skip


def smooth(keys: Points, at: NDArray[np.float64], closed: bool = False) -> Points:
    """Points (m, d) of a Catmull-Rom curve through ``keys`` (n, d), at positions ``at`` (m,): 1.0 is key 1."""
    n = len(keys)
    i = np.floor(at).astype(int)
    t = (at - i)[:, None]
    index = [(i + k) % n if closed else np.clip(i + k, 0, n - 1) for k in (-1, 0, 1, 2)]
    a, b, c, d = (keys[k] for k in index)
    return np.asarray(b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a))))


def turned(vector: Points) -> Points:
    """The vector (2,) turned by 90 degrees: up becomes forward."""
    return np.array([-vector[1], vector[0]])


def direction(degrees: float) -> Points:
    """A unit vector: 0 points straight up, positive angles lean forward."""
    radians = np.deg2rad(degrees)
    return np.array([np.sin(radians), -np.cos(radians)])


@dataclass(frozen=True, slots=True)
class Leg:
    """Joints (2,) of one leg, and how far the toes point down, in degrees."""

    hip: Points
    knee: Points
    ankle: Points
    pitch: float


@dataclass(frozen=True, slots=True)
class Arm:
    """Joints (2,) of one arm, and the direction of the hand."""

    shoulder: Points
    elbow: Points
    wrist: Points
    hand: Points


@dataclass(frozen=True, slots=True)
class Pose:
    """The joints (2,) of a skater in figure coordinates; legs and arms are (far, near) as the camera sees them."""

    hip: Points
    neck: Points
    head: Points
    nod: float
    legs: tuple[Leg, Leg]
    arms: tuple[Arm, Arm]

    @property
    def clothes(self) -> Points:
        """A point (2,) in the middle of the jacket, a little towards the chest and clear of its hem."""
        spine = self.neck - self.hip
        return np.asarray(self.hip + 0.46 * spine + 0.03 * turned(spine))


def pose(phase: float, crouch: float) -> Pose:
    """The pose at ``phase``, where 1.0 is one stroke of each leg; ``crouch`` is 0 to 1."""
    swing = 2 * np.pi * phase
    lean = 33 + 12 * crouch + 4 * np.sin(2 * swing)
    hip = np.array([-0.05, -(0.497 - 0.035 * crouch) - 0.010 * np.cos(2 * swing)])
    neck = hip + SPINE * direction(lean)
    nod = 0.30 * lean + 2 * np.sin(swing)
    legs, arms = [], []
    for side, (offset, depth) in enumerate(((0.0, -0.012), (0.5, 0.012))):
        key = ((phase + offset) % 1.0) * len(STROKE)
        ahead, above, pitch = smooth(STROKE, np.array([key]), closed=True)[0]
        root = hip + np.array([0.012, depth * 0.5])
        reach = np.array([hip[0] + ahead, -ANKLE - max(above, 0.0) + depth]) - root
        length = min(float(np.hypot(*reach)), 0.995 * (THIGH + SHIN))
        along = reach / np.hypot(*reach)
        bend = (THIGH**2 - SHIN**2 + length**2) / (2 * length)  # where along the leg the knee bends forward
        knee = root + along * bend - turned(along) * np.sqrt(max(THIGH**2 - bend**2, 0.0))
        legs.append(Leg(root, knee, root + along * length, float(pitch)))
        back = np.sin(swing + side * np.pi + 0.35)  # each arm swings with the other side's leg
        shoulder = neck + 0.045 * direction(lean + 180) + np.array([-0.012 + 0.014 * side, depth])
        upper = 176 - 50 * back
        lower = upper - 44 - 22 * back
        elbow = shoulder + UPPER_ARM * direction(upper)
        wrist = elbow + FOREARM * direction(lower)
        arms.append(Arm(shoulder, elbow, wrist, direction(lower - 12)))
    head = neck + np.array([0.018, 0.0]) + 0.088 * direction(nod)
    return Pose(hip, neck, head, nod, (legs[0], legs[1]), (arms[0], arms[1]))
