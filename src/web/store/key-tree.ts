/*
 * The tree of keys as it is on the screen: levels that were loaded, and which of them are open. All pure; who shows it asks the server.
 */

/** A key, or a prefix with keys below it. */
export interface Child {
  key: string
  isKeyBase64?: true | undefined
  isPrefix: boolean
  count: number
}

/** What was loaded of the level below a prefix. */
export interface Level {
  children: readonly Child[]
  /** the server has others behind */
  more: boolean
  /** keys below, on all levels */
  count: number
  revision: number
}

export interface Tree {
  /** by their prefixes, those in base64 under `base64:…` */
  levels: ReadonlyMap<string, Level>
  open: ReadonlySet<string>
}

export interface Row {
  /** of the tree: unique */
  id: string
  kind: 'prefix' | 'key' | 'more'
  child: Child | null
  /** what stands on the screen: the part behind the prefix above */
  label: string
  depth: number
  isOpen: boolean
  /** id of the level it is in */
  level: string
}

/** On the screen at once, whatever is open. */
export const ROWS_MAX = 1000

export const EMPTY_TREE: Tree = { levels: new Map(), open: new Set() }

export function idOf({ key, isKeyBase64 }: Pick<Child, 'key' | 'isKeyBase64'>): string {
  return isKeyBase64 === true ? `base64:${key}` : key
}

export function withLevel(tree: Tree, prefix: string, level: Level): Tree {
  return { ...tree, levels: new Map(tree.levels).set(prefix, level) }
}

/** The next part of a level behind what was loaded of it. */
export function withMore(tree: Tree, prefix: string, part: Level): Tree {
  const before = tree.levels.get(prefix)
  if (before === undefined) return withLevel(tree, prefix, part)
  const known = new Set(before.children.map((child) => rowId(child)))
  const children = [...before.children, ...part.children.filter((child) => !known.has(rowId(child)))]
  return withLevel(tree, prefix, { ...part, children })
}

export function toggled(tree: Tree, prefix: string): Tree {
  const open = new Set(tree.open)
  if (!open.delete(prefix)) open.add(prefix)
  return { ...tree, open }
}

/** Rows from a root on, in order, and whether there were more than are shown. */
export function rowsOf(tree: Tree, root: string): { rows: Row[]; isCut: boolean } {
  const rows: Row[] = []
  const walk = (level: string, depth: number): boolean => {
    const loaded = tree.levels.get(level)
    if (loaded === undefined) return true
    for (const child of loaded.children) {
      if (rows.length === ROWS_MAX) return false
      const isOpen = child.isPrefix && tree.open.has(idOf(child))
      const kind = child.isPrefix ? 'prefix' : 'key'
      rows.push({ id: rowId(child), kind, child, label: labelOf(child, level), depth, isOpen, level })
      if (isOpen && !walk(idOf(child), depth + 1)) return false
    }
    if (!loaded.more) return true
    if (rows.length === ROWS_MAX) return false
    rows.push({ id: `more ${level}`, kind: 'more', child: null, label: 'more …', depth, isOpen: false, level })
    return true
  }
  return { isCut: !walk(root, 0), rows }
}

const rowId = (child: Child): string => `${child.isPrefix ? 'prefix' : 'key'} ${idOf(child)}`

function labelOf(child: Child, level: string): string {
  if (child.isKeyBase64 === true || level.startsWith('base64:')) return idOf(child)
  const rest = child.key.slice(level.length)
  // A key that is the prefix itself, as `a/` below `a/`.
  return rest === '' ? '(empty)' : rest
}

/** Levels that are loaded in which a change of this key may be seen: those of its prefixes. */
export function touchedBy(tree: Tree, key: string): string[] {
  return [...tree.levels.keys()].filter((prefix) => key.startsWith(prefix))
}

/** Where the keys lead in the tree; null: nowhere. */
export function moved(rows: readonly Row[], id: string | null, key: string): string | null {
  const at = rows.findIndex((row) => row.id === id)
  const row = rows[at]
  const to: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at === -1 ? 0 : at - 1, Home: 0, End: rows.length - 1 }
  if (key === 'ArrowLeft' && row !== undefined && !row.isOpen) {
    const parent = rows.slice(0, at).findLast(({ depth }) => depth < row.depth)
    return parent?.id ?? null
  }
  if (key === 'ArrowRight' && row?.isOpen === true) return rows[at + 1]?.id ?? null
  const next = to[key]
  return next === undefined ? null : (rows[next]?.id ?? null)
}
