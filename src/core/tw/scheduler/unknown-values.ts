import type { GroupSpec } from '../job-spec.ts'
import { nearest } from '../nearest.ts'
import type { Constraint } from '../schema.ts'
import type { FleetImage } from './image.ts'
import { isNode, poolOf } from './suitable.ts'

/** Of more names than these the nearest is not looked for: each is compared letter by letter. */
const COMPARED_MAX = 2000

/**
 * Sentences about what a group names and no node of the fleet has: attributes and their values in constraints, affinities, spreads and
 * `distinct`, and its pool. Most often a slip of the pen, so the nearest known one is said. Of a fleet without nodes nothing is.
 */
export function unknownIn(
  image: FleetImage,
  group: Pick<GroupSpec, 'constraints' | 'affinities' | 'spread' | 'distinct' | 'pool'>,
): string[] {
  if (image.size === 0) return []
  const known = new KnownValues(image)
  const ofConstraint = (where: string, constraint: Constraint): string[] => {
    const { operator, values, text } = constraint
    if (operator === 'is-not-set') return []
    const key = constraint.attribute.slice('node.'.length)
    const named = operator === '=' || operator === '!=' || operator === 'in' || operator === 'not-in' || operator === 'has' ? values : []
    return known.unknown(`${where} \`${text}\``, key, named, operator === 'has')
  }
  const pool = group.pool ?? 'default'
  return [
    ...group.constraints.flatMap((constraint) => ofConstraint('constraint', constraint)),
    ...group.affinities.flatMap(({ constraint }) => ofConstraint('affinity', constraint)),
    ...group.spread.flatMap(({ attribute, targets }) => known.unknown(`spread over ${attribute}`, attribute, Object.keys(targets ?? {}))),
    ...group.distinct.flatMap(({ attribute }) => known.unknown(`distinct ${attribute}`, attribute, [])),
    ...(known.pools().includes(pool) ? [] : [`pool ${pool}: no node is of that pool${nearText(pool, known.pools())}`]),
  ]
}

class KnownValues {
  readonly #image: FleetImage
  readonly #classes: FleetImage['classes']

  constructor(image: FleetImage) {
    this.#image = image
    this.#classes = image.classes.filter(({ size }) => size > 0)
  }

  unknown(where: string, attribute: string, values: readonly string[], isList = false): string[] {
    const own = isNode(attribute) ? null : this.#valuesOf(attribute, isList)
    if (own?.length === 0) return [`${where}: no node has ${attribute}${nearText(attribute, this.#attributes())}`]
    const isThere = (value: string): boolean => (own === null ? this.#image.indexOf(value) !== undefined : own.includes(value))
    return values
      .filter((value) => !isThere(value))
      .map((value) => `${where}: no node has the ${attribute} ${value}${nearText(value, own ?? this.#names())}`)
  }

  pools(): string[] {
    return [...new Set(this.#classes.map(({ attributes }) => poolOf(attributes)))].sort()
  }

  #valuesOf(attribute: string, isList: boolean): string[] {
    const values = this.#classes.flatMap(({ attributes }) => attributes[attribute] ?? [])
    return [...new Set(isList ? values.flatMap((value) => value.split(',').map((it) => it.trim())) : values)].sort()
  }

  #attributes(): string[] {
    return ['name', ...new Set(this.#classes.flatMap(({ attributes }) => Object.keys(attributes)))].sort()
  }

  #names(): string[] {
    return Array.from(this.#image.order.subarray(0, this.#image.size), (node) => this.#image.names[node] ?? '')
  }
}

function nearText(word: string, known: readonly string[]): string {
  const near = known.length > COMPARED_MAX ? null : nearest(word, known)
  if (near !== null) return `; nearest known: ${near}`
  return known.length > 0 && known.length <= 5 ? `; known: ${known.join(', ')}` : ''
}
