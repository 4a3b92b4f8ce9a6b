// oxlint-disable typescript/no-non-null-assertion -- indices are of classes and nodes of the image; a check for each read would double the cost
import { meets } from '../constraint.ts'
import type { GroupSpec } from '../job-spec.ts'
import type { FleetImage } from './image.ts'

/** The part of a group that says which nodes suit it, whatever their load. */
export type Wish = Pick<GroupSpec, 'constraints' | 'affinities' | 'spread' | 'distinct' | 'pool' | 'container'>

/**
 * The nodes a group may run on, compiled once for all groups that wish the same: constraints into one verdict per class,
 * spreads and affinities into a tree whose leaves are nodes that differ by their load alone.
 */
export interface Suitable {
  revision: number
  /** per class: −1 suits; 0 is of another pool; n failed the n-th constraint */
  failed: Int16Array
  /** constraints on the name itself, which classes do not tell apart */
  byName: GroupSpec['constraints']
  /** spreads that are levels of the tree: all but an even one over nodes, which the leaves see to */
  levels: { spread: GroupSpec['spread'][number]; values: Values }[]
  /** attributes, beside the node itself, of which only so many tasks may share a value */
  distinct: { max: number; values: Values }[]
  root: Part
  /** nodes that suit, also closed ones */
  size: number
}

/** The values of an attribute over the fleet, numbered in their order. */
export interface Values {
  attribute: string
  names: string[]
  /** value of each node; {@link Int32Array} by node */
  of: Int32Array
}

/** A part of the suitable nodes: split further, or nodes in the order of their names. */
export interface Part {
  /** what the part has in common: number of the value of its level, or the affinity's weight, or 1 for nodes with GPUs that need none */
  value: number
  parts: Part[]
  nodes: Int32Array
}

const KEPT_MAX = 2000

export function suitableFor(image: FleetImage, wish: Wish): Suitable {
  const key = JSON.stringify([
    wish.pool,
    wish.constraints.map((it) => it.text),
    wish.affinities.map((it) => [it.constraint.text, it.weight]),
    wish.spread,
    wish.distinct,
    wish.container.gpu === null,
  ])
  const known = image.suitable.get(key)
  if (known?.revision === image.revision) return known
  if (image.suitable.size >= KEPT_MAX) image.suitable.clear()
  const fresh = compile(image, wish)
  image.suitable.set(key, fresh)
  return fresh
}

/** Whether a node of the image suits a group, whatever its load and whether it is open. */
export function suits(image: FleetImage, wish: Wish): (node: number) => boolean {
  const { failed, byName } = suitableFor(image, wish)
  return (node) => failed[image.classOf[node]!] === -1 && byName.every((constraint) => meets(constraint, { name: image.names[node] ?? '' }))
}

/** Constraints and affinities see the name too, but only where one asks for it, since it is not of the class. */
const isOfName = (constraint: GroupSpec['constraints'][number]): boolean => constraint.attribute === 'node.name'
export const isNode = (attribute: string): boolean => attribute === 'node' || attribute === 'name'

function compile(image: FleetImage, wish: Wish): Suitable {
  const failed = Int16Array.from(image.classes, ({ attributes }) => verdictOf(wish, attributes))
  const byName = wish.constraints.filter(isOfName)
  const levels = wish.spread
    .filter((spread) => !isNode(spread.attribute) || spread.isHard || spread.targets !== null)
    .map((spread) => ({ spread, values: valuesOf(image, spread.attribute) }))
  const distinct = wish.distinct
    .filter((it) => !isNode(it.attribute))
    .map(({ attribute, max }) => ({ max, values: valuesOf(image, attribute) }))

  const weightOfClass = Int32Array.from(image.classes, ({ attributes }) =>
    sum(wish.affinities.map(({ constraint, weight }) => (!isOfName(constraint) && meets(constraint, attributes) ? weight : 0))),
  )
  const nameAffinities = wish.affinities.filter(({ constraint }) => isOfName(constraint))
  const root = new Builder(0)
  let size = 0
  for (let place = 0; place < image.size; place += 1) {
    const node = image.order[place]!
    const classId = image.classOf[node]!
    if (failed[classId] !== -1) continue
    const name = { name: image.names[node]! }
    if (byName.length > 0 && !byName.every((constraint) => meets(constraint, name))) continue
    let at = root
    for (const { values } of levels) at = at.part(values.of[node]!)
    if (wish.affinities.length > 0)
      at = at.part(weightOfClass[classId]! + sum(nameAffinities.map((it) => (meets(it.constraint, name) ? it.weight : 0))))
    if (wish.container.gpu === null && image.devices.length > 0) at = at.part(image.gpuCount[node]! > 0 ? 1 : 0)
    at.nodes.push(node)
    size += 1
  }
  return { revision: image.revision, failed, byName, levels, distinct, root: root.done(), size }
}

function verdictOf(wish: Wish, attributes: Readonly<Record<string, string>>): number {
  if (poolOf(attributes) !== (wish.pool ?? 'default')) return 0
  const first = wish.constraints.findIndex((constraint) => !isOfName(constraint) && !meets(constraint, attributes))
  return first < 0 ? -1 : first + 1
}

export function poolOf(attributes: Readonly<Record<string, string>>): string {
  return attributes['pool'] ?? attributes['meta.pool'] ?? 'default'
}

function valuesOf(image: FleetImage, attribute: string): Values {
  const of = new Int32Array(image.names.length)
  if (isNode(attribute)) {
    of.set(image.rank.subarray(0, of.length))
    return { attribute, names: Array.from(image.order.subarray(0, image.size), (node) => image.names[node]!), of }
  }
  const ofClass = image.classes.map(({ attributes }) => attributes[attribute] ?? '')
  // Classes that no node is of any more are as if they had never been.
  const names = [...new Set(ofClass.filter((_, i) => image.classes[i]!.size > 0))].sort()
  const number = new Map(names.map((name, i) => [name, i]))
  const numbers = Int32Array.from(ofClass, (name) => number.get(name) ?? 0)
  for (let node = 0; node < of.length; node += 1) of[node] = numbers[image.classOf[node]!]!
  return { attribute, names, of }
}

class Builder {
  readonly nodes: number[] = []
  readonly #parts = new Map<number, Builder>()
  readonly value: number
  constructor(value: number) {
    this.value = value
  }

  part(value: number): Builder {
    let part = this.#parts.get(value)
    if (part === undefined) this.#parts.set(value, (part = new Builder(value)))
    return part
  }

  /** Parts lie in the order of the first name in each, since nodes were added by name. */
  done(): Part {
    return { value: this.value, parts: [...this.#parts.values()].map((part) => part.done()), nodes: Int32Array.from(this.nodes) }
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, it) => total + it, 0)
