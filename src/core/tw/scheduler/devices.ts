// oxlint-disable typescript/no-non-null-assertion -- indices are of devices of the image; a check for each read would double the cost

/** All GPUs of the fleet, those of one node side by side. */
export interface Devices {
  /** thousandths that are free */
  free: Uint16Array
  /** number of the model in `FleetImage.models` */
  model: Uint8Array
  length: number
}

/**
 * Mask of the `count` devices of a node that would be taken, 0 when there are too few. One that is shared goes where least
 * is left over; among equals, and for whole ones, the lowest.
 */
export function maskOf(devices: Devices, at: number, all: number, count: number, milli: number, models: number): number {
  if (count === 1) {
    let best = -1
    for (let i = 0; i < all; i += 1) {
      const free = devices.free[at + i]!
      if (free < milli || ((models >> devices.model[at + i]!) & 1) === 0) continue
      if (best < 0 || free < devices.free[at + best]!) best = i
    }
    return best < 0 ? 0 : 1 << best
  }
  let mask = 0
  let left = count
  for (let i = 0; i < all && left > 0; i += 1) {
    if (devices.free[at + i]! < milli || ((models >> devices.model[at + i]!) & 1) === 0) continue
    mask |= 1 << i
    left -= 1
  }
  return left === 0 ? mask : 0
}

/** Devices of the asked models on a node, and those of them with `milli` free. */
export function freeDevices(devices: Devices, at: number, all: number, milli: number, models: number): { free: number; all: number } {
  const counts = { free: 0, all: 0 }
  for (let i = 0; i < all; i += 1) {
    if (((models >> devices.model[at + i]!) & 1) === 0) continue
    counts.all += 1
    if (devices.free[at + i]! >= milli) counts.free += 1
  }
  return counts
}
