import { choiceOf, levelsOf } from './branch.ts'
import { filtersOf, type FilterCounts } from './filters.ts'
import type { FleetImage } from './image.ts'
import { partsOf } from './leaf.ts'
import { Slice, type PlanRequest } from './slice.ts'

/** So many placements of one plan are each put in words. */
export const WORDED_MAX = 50

/** A task's place. */
export interface Placement {
  index: number
  /** name of the node */
  node: string
  /** what records call the node; 0: the image was not told */
  nodeId: number
  /** mask of the GPUs it gets there; 0: none */
  devices: number
  /** score parts, for `tw explain`; of more than {@link WORDED_MAX} placed at once, those of the first */
  why: string
}

export interface Plan {
  placements: Placement[]
  /** indexes without a place */
  unplaced: number[]
  /** what took the nodes away from the first without a place; null when all have one */
  filters: FilterCounts | null
}

/** Places by number: what {@link planSlice} makes of a request, cheap enough for hundreds of thousands a second. */
export interface Placed {
  /** side by side: index of the task, node of the image, mask of its GPUs, score of the node before it came */
  indexes: number[]
  nodes: number[]
  devices: number[]
  scores: number[]
  /** for each, and each level of the tree: tasks of its version that had the same value before */
  before: number[]
  unplaced: number[]
  slice: Slice
  /** Takes the tasks off the image again. */
  undo: () => void
}

/**
 * Places tasks of one group, one after the other, and counts the image down. Pure: the same image and request give the
 * same places; ties go to the lowest name, never to chance. A group that wants all or nothing gets nothing when one has no
 * place.
 */
export function planSlice(image: FleetImage, request: PlanRequest): Placed {
  const slice = new Slice(image, request)
  const { group } = request
  const levels = levelsOf(slice.spreads, group.affinities.length > 0, slice.demand.gpu === null && image.devices.length > 0)
  const root = choiceOf(slice, levels, slice.suitable.root, request.indexes.length)
  const placed: Placed = {
    indexes: [],
    nodes: [],
    devices: [],
    scores: [],
    before: [],
    unplaced: [],
    slice,
    undo: () => undo(image, placed),
  }
  for (const index of request.indexes) {
    const score = root.peek()
    // They are all alike: where one has no place, the next has none.
    if (score === Infinity) break
    const node = root.best
    const devices = slice.demand.gpu === null ? 0 : image.chooseDevices(node, slice.demand.gpu)
    for (const spread of slice.spreads) placed.before.push(spread.sameOf(node))
    slice.place(node, devices)
    root.taken()
    placed.indexes.push(index)
    placed.nodes.push(node)
    placed.devices.push(devices)
    placed.scores.push(score)
  }
  if (group.isAllOrNothing && placed.indexes.length < request.indexes.length) placed.undo()
  placed.unplaced = request.indexes.slice(placed.indexes.length)
  return placed
}

function undo(image: FleetImage, placed: Placed): void {
  for (let i = placed.nodes.length - 1; i >= 0; i -= 1)
    image.applyTask(placed.nodes[i] ?? 0, placed.slice.demand, -1, placed.devices[i] ?? 0)
  placed.indexes = []
  placed.nodes = []
  placed.devices = []
  placed.scores = []
  placed.before = []
}

/** {@link planSlice} in names and words. */
export function plan(image: FleetImage, request: PlanRequest): Plan {
  const placed = planSlice(image, request)
  const ofFirst = placed.indexes.length > WORDED_MAX ? whyText(placed, 0) : null
  return {
    placements: placed.indexes.map((index, i) => ({
      index,
      node: image.names[placed.nodes[i] ?? 0] ?? '',
      nodeId: image.id[placed.nodes[i] ?? 0] ?? 0,
      devices: placed.devices[i] ?? 0,
      why: ofFirst ?? whyText(placed, i),
    })),
    unplaced: placed.unplaced,
    filters: placed.unplaced.length === 0 ? null : filtersOf(image, placed.slice),
  }
}

/** What takes the nodes away from one task; null when it has a place. Leaves the image as it was. */
export function filtersOfOne(image: FleetImage, request: PlanRequest): FilterCounts | null {
  const placed = planSlice(image, request)
  if (placed.unplaced.length > 0) return filtersOf(image, placed.slice)
  placed.undo()
  return null
}

/** Why the i-th placed task is where it is. */
function whyText(placed: Placed, i: number): string {
  const { slice } = placed
  const { isAvoided, same, fit } = partsOf(placed.scores[i] ?? 0, slice.demand.gpu !== null)
  return [
    `best of ${slice.compared} compared nodes of ${slice.image.size}`,
    ...slice.suitable.levels.map(
      ({ values }, level) => `${placed.before[i * slice.spreads.length + level] ?? 0} of its version in the ${values.attribute} before`,
    ),
    ...(slice.isEvenOverNodes ? [`${same} of its version in the node before`] : []),
    ...(slice.demand.gpu === null
      ? [`fit ${fit}`]
      : [`${fit < 0 ? `${-fit * 100}m more` : `${fit * 100}m less`} GPU is of no use to others`]),
    ...(isAvoided ? ['it failed there before'] : []),
  ].join(', ')
}
