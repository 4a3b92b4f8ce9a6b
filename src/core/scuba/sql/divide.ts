import { conjunction, timeBounds, type Bound } from './time-bounds.ts'
import { callNode, castNode, columnNode, firstNotNull, functionOf, hasNode, hasNoOrder, isBent, isBlank, isPlain } from './nodes.ts'
import { isPlainCall, mapNodes, numberNode, textOf, type Node } from './nodes.ts'

/** The table that stands for the rows of some files, and the one that stands for the groups of all of them. */
export const SOURCE = 'muster_source'
export const GROUPS = 'muster_groups'

/**
 * A SELECT over one table, divided: what is computed of some files, whose rows never change, and what makes the answer of all of that. Both
 * together give exactly what the statement gives.
 */
export interface Division {
  /** of {@link SOURCE}: its groups, with a column for each key and then for each part */
  part: Node
  /** of {@link GROUPS} */
  whole: Node
  /** the statement itself without its bounds of time, to compare types with */
  plain: Node
  /** rows are within all of these */
  bounds: Bound[]
  /** columns that it reads, as the table spells them */
  columns: string[]
  /** columns of the groups that are sums: of fractions they would depend on the order in which they are added */
  sums: string[]
}

/**
 * Divides the parse tree of a statement that was checked.
 * @param columns of the table
 * @returns why it cannot be divided, in words
 */
export function divide(tree: unknown, columns: readonly string[]): Division | string {
  try {
    return new Divider(tree as Root, columns).divided()
  } catch (error) {
    if (error instanceof Whole) return error.message
    throw error
  }
}

const keyName = (at: number): string => `muster_k${at}`
const partName = (at: number): string => `muster_p${at}`

/** It needs all rows together. */
class Whole extends Error {}

type Root = Node & { statements: { node: Node }[] }

/** Aggregates whose parts are put together by the same one; of fractions the sum depends on the order, which their type shows. */
const MERGED = new Set(['sum', 'min', 'max', 'bool_and', 'bool_or'])
const COUNTS = new Set(['count_star', 'count', 'count_if', 'countif'])

class Divider {
  readonly #root: Root
  readonly #select: Node
  readonly #columns: ReadonlyMap<string, string>
  readonly #names: ReadonlySet<string>
  readonly #read = new Set<string>()
  readonly #keys: { text: string; node: Node }[] = []
  readonly #parts: { text: string; node: Node }[] = []
  #distinct: { text: string; node: Node } | null = null

  constructor(root: Root, columns: readonly string[]) {
    this.#root = root
    this.#select = root.statements[0]?.node ?? {}
    this.#columns = new Map(columns.map((name) => [name.toLowerCase(), name]))
    const from = (this.#select['from_table'] ?? {}) as Node
    this.#names = new Set([from['alias'], from['table_name']].map((name) => String(name).toLowerCase()))
  }

  divided(): Division {
    const select = this.#select
    const from = this.#table()
    const { bounds, rest } = timeBounds(select['where_clause'] as Node | null, (node) => this.#columnOf(node))
    const where = rest.length === 0 ? null : this.#row(conjunction(rest))
    this.#group()
    if (hasNode(select, ({ alias }) => /^muster_[kp]\d+$/i.test(String(alias))))
      throw new Whole('it uses a name that is needed for its parts')
    const list = select['select_list'] as Node[]
    const chosen = list.map((node) => ({ ...this.#whole(node), alias: node['alias'] }))
    const having = isBlank(select['having']) ? null : this.#clear(select['having'] as Node)
    const modifiers = (select['modifiers'] as Node[]).map((modifier) => this.#modifier(modifier))
    if (this.#keys.length === 0 && this.#parts.length === 0 && this.#distinct === null) throw new Whole('it gives rows, not groups')
    const keys = [...this.#keys.map(({ node }) => node), ...(this.#distinct === null ? [] : [this.#distinct.node])]
    const named = (nodes: readonly Node[], nameOf: (at: number) => string): Node[] =>
      nodes.map((node, at) => ({ ...node, alias: nameOf(at) }))
    const base = { ...select, modifiers: [], having: null }
    return {
      plain: this.#tree({ ...select, where_clause: rest.length === 0 ? null : conjunction(rest) }),
      part: this.#tree({
        ...base,
        select_list: [
          ...named(keys, keyName),
          ...named(
            this.#parts.map(({ node }) => node),
            partName,
          ),
        ],
        from_table: { ...from, table_name: SOURCE, alias: '' },
        where_clause: where,
        ...grouping(keys.map((_, at) => numberNode(at + 1))),
      }),
      whole: this.#tree({
        ...{ ...base, select_list: chosen, having, modifiers },
        from_table: { ...from, table_name: GROUPS, alias: '' },
        where_clause: null,
        ...grouping(this.#keys.map((_, at) => columnNode(keyName(at)))),
      }),
      bounds,
      columns: [...this.#read],
      sums: this.#parts.flatMap(({ node }, at) => (functionOf(node) === 'sum' ? [partName(at)] : [])),
    }
  }

  #tree(node: Node): Node {
    return { ...this.#root, statements: [{ ...this.#root.statements[0], node }] }
  }

  /** The statement's only table; nothing but conditions, groups and an order stands around it. */
  #table(): Node {
    const { type, cte_map: ctes, from_table: table, sample, qualify } = this.#select as Record<string, Node | null>
    const from = table ?? {}
    if ((type as unknown) !== 'SELECT_NODE') throw new Whole('it is more than one SELECT')
    if (from['type'] !== 'BASE_TABLE' || !isBlank(ctes?.['map'])) throw new Whole('it reads more than one table')
    if (!isBlank(from['column_name_alias']) || !isBlank(from['sample']) || !isBlank(sample))
      throw new Whole('it renames columns or samples rows')
    if (!isBlank(qualify)) throw new Whole('it has windows')
    if (hasNode(this.#select, (node) => typeof node['table_name'] === 'string' && node !== from)) throw new Whole('it has an inner query')
    if (hasNode(this.#select, isBent)) throw new Whole('it has a number of too many digits')
    return from
  }

  /** What is grouped by: columns come before names of the list, as the engine has it. */
  #group(): void {
    const { group_expressions: groups, group_sets: sets, aggregate_handling: handling } = this.#select
    const list = this.#select['select_list'] as Node[]
    const asked = handling === 'FORCE_AGGREGATES' ? list.filter((node) => !hasNode(node, isAggregate)) : (groups as Node[])
    const setCount = (sets as number[][]).length
    if (setCount > 1 || (setCount === 1 && (sets as number[][])[0]?.length !== (groups as Node[]).length))
      throw new Whole('it has grouping sets')
    for (const node of asked) {
      const place = placeOf(node)
      const name = this.#columnOf(node) === null ? aliasOf(node) : null
      const meant =
        place === null ? (list.find(({ alias }) => name !== null && String(alias).toLowerCase() === name) ?? node) : list[place - 1]
      if (!meant) throw new Whole('it groups by a place that is not there')
      const row = this.#row(meant)
      if (hasNode(row, ({ class: of }) => of === 'PARAMETER')) throw new Whole('it groups by a parameter')
      keep(this.#keys, row)
    }
  }

  /** An expression over one row, with columns as the table spells them. */
  #row(node: Node): Node {
    if (node['class'] === 'COLUMN_REF') {
      const name = this.#columnOf(node)
      if (name === null) throw new Whole(`${(node['column_names'] as string[]).join('.')} is no column of its own`)
      this.#read.add(name)
      return columnNode(name)
    }
    if (!isPlain(node)) throw new Whole(`${wordOf(node)} is not known to give the same of each row`)
    return { ...mapNodes(node, (child) => this.#row(child)), alias: '' }
  }

  /** An expression over groups: keys, merged aggregates, and what is made of them. */
  #whole(node: Node): Node {
    const key = this.#keyOf(node)
    if (key !== null) return columnNode(keyName(key))
    if (isAggregate(node)) return this.#merged(node)
    if (node['class'] === 'COLUMN_REF') throw new Whole(`${(node['column_names'] as string[]).join('.')} is not grouped by`)
    if (!isPlain(node)) throw new Whole(`${wordOf(node)} cannot be put together from parts of files`)
    return { ...mapNodes(node, (child) => this.#whole(child)), alias: '' }
  }

  #keyOf(node: Node): number | null {
    if (this.#keys.length === 0 || hasNode(node, isAggregate)) return null
    // A name that is none of a column's can be one of the list; then it is no key as it stands.
    if (hasNode(node, (inner) => inner['class'] === 'COLUMN_REF' && this.#columnOf(inner) === null)) return null
    if (hasNode(node, (inner) => typeof inner['class'] === 'string' && !isPlain(inner))) return null
    const text = textOf(this.#row(node))
    const at = this.#keys.findIndex((known) => known.text === text)
    return at < 0 ? null : at
  }

  #merged(node: Node): Node {
    const name = functionOf(node)
    const args = node['children'] as Node[]
    if (!hasNoOrder(node) || args.length > 1) throw new Whole(`${name} has an order or more than one argument`)
    const part: Node = { ...mapNodes(node, (child) => this.#row(child)), alias: '' }
    if (hasNode(part['children'], ({ class: of }) => of === 'PARAMETER'))
      throw new Whole(`${name} takes a parameter, whose type is not known`)
    if (node['distinct'] === true) return this.#countDistinct(name, part)
    const column = columnNode(partName(keep(this.#parts, part)))
    if (name === 'count_if' || name === 'countif') return firstNotNull(callNode('sum', [column]), castNode(numberNode(0), 'HUGEINT'))
    return COUNTS.has(name)
      ? castNode(firstNotNull(callNode('sum', [column]), castNode(numberNode(0), 'HUGEINT')), 'BIGINT')
      : callNode(name, [column])
  }

  /** Its values become a key of the parts, so that they are counted when all are there. */
  #countDistinct(name: string, part: Node): Node {
    const [value] = part['children'] as Node[]
    if (name !== 'count' || !value || !isPlainCall({ ...part, distinct: false }))
      throw new Whole(`${name} of distinct values has a condition`)
    const text = textOf(value)
    this.#distinct ??= { text, node: value }
    if (this.#distinct.text !== text) throw new Whole('it counts distinct values of more than one thing')
    return callNode('count', [columnNode(keyName(this.#keys.length))], true)
  }

  #modifier(modifier: Node): Node {
    if (modifier['type'] === 'LIMIT_MODIFIER') {
      if (hasNode(modifier, ({ class: of }) => of === 'COLUMN_REF' || of === 'SUBQUERY')) throw new Whole('its limit is not a number')
      return modifier
    }
    if (modifier['type'] !== 'ORDER_MODIFIER') throw new Whole('it asks for different rows or a share of them')
    const orders = (modifier['orders'] as Node[]).map((order) => {
      const expression = order['expression'] as Node
      const isOfList = placeOf(expression) !== null || this.#listed(expression) !== null
      return isOfList ? order : { ...order, expression: this.#clear(expression) }
    })
    return { ...modifier, orders }
  }

  /** An expression outside of the list, in which no name means a column and something else of the list as well. */
  #clear(node: Node): Node {
    const isUnclear = hasNode(node, (inner) => {
      const listed = this.#listed(inner)
      return listed !== null && this.#columnOf(inner) !== null && this.#columnOf(listed) !== this.#columnOf(inner)
    })
    if (isUnclear) throw new Whole('a name means a column and something else, too')
    return this.#whole(node)
  }

  /** What the list gives this name to. */
  #listed(node: Node): Node | null {
    const name = aliasOf(node)
    const list = this.#select['select_list'] as Node[]
    return name === null ? null : (list.find(({ alias }) => String(alias).toLowerCase() === name) ?? null)
  }

  /** The column that a node is, as the table spells it. */
  #columnOf(node: Node): string | null {
    if (node['class'] !== 'COLUMN_REF') return null
    const path = node['column_names'] as string[]
    const [first = '', second] = path
    if (path.length === 2 && second !== undefined && this.#names.has(first.toLowerCase()))
      return this.#columns.get(second.toLowerCase()) ?? null
    return path.length === 1 ? (this.#columns.get(first.toLowerCase()) ?? null) : null
  }
}

const isAggregate = (node: Node): boolean => {
  const name = functionOf(node)
  return MERGED.has(name) || COUNTS.has(name)
}

/** Adds what is not there yet, and gives its place. */
function keep(list: { text: string; node: Node }[], node: Node): number {
  const text = textOf(node)
  const at = list.findIndex((known) => known.text === text)
  return at >= 0 ? at : list.push({ text, node }) - 1
}

/** `GROUP BY 1`, `ORDER BY 1`: a place of the list. */
function placeOf(node: Node): number | null {
  const value = node['class'] === 'CONSTANT' ? (node['value'] as Node) : {}
  return typeof value['value'] === 'number' && (value['type'] as Node)['id'] === 'INTEGER' ? value['value'] : null
}

/** A name alone, which may be that of an expression of the list; lower case. */
function aliasOf(node: Node): string | null {
  const path = node['class'] === 'COLUMN_REF' ? (node['column_names'] as string[]) : []
  return path.length === 1 ? (path[0]?.toLowerCase() ?? null) : null
}

const grouping = (nodes: readonly Node[]): Node => ({
  group_expressions: nodes,
  group_sets: nodes.length === 0 ? [] : [nodes.map((_, at) => at)],
  aggregate_handling: 'STANDARD_HANDLING',
})

const wordOf = (node: Node): string => functionOf(node) || String(node['class']).toLowerCase()
