import type { JSX } from 'preact'
import { Scroll } from '../shell/scroll.tsx'
import { useEffect, useRef, useState } from 'preact/hooks'
import { Shell } from '../shell/shell.tsx'
import { count } from '../shell/text.ts'
import { KeyPanel } from './key-panel.tsx'
import { idOf, moved, ROWS_MAX, rowsOf, type Child, type Row } from './key-tree.ts'
import { useChanges } from './use-changes.ts'
import { useTree } from './use-tree.ts'
import { withVersions, type Version } from './versions.ts'

const HELP = [
  { keys: '↑ ↓', does: 'in the tree: the row before, the row after' },
  { keys: '→ ←', does: 'open and close a prefix' },
  { keys: 'Enter', does: 'open a prefix, show a key' },
  { keys: '/', does: 'to the prefix field' },
]
const NEWS_MS = 4000

/** The page `store`: the keys as a tree, one key with its versions, and what changes now. Read only. */
export function StorePage(): JSX.Element {
  const [root, setRoot] = useState(rootOfAddress)
  const [chosen, setChosen] = useState<Child | null>(null)
  const [come, setCome] = useState<readonly Version[]>([])
  const [news, setNews] = useState<ReadonlySet<string>>(new Set())
  const { tree, error, toggle, more, changed } = useTree(root)
  const chosenId = useRef<string | null>(null)
  chosenId.current = chosen === null ? null : idOf(chosen)
  const { changes, link } = useChanges(root, (version) => {
    const id = idOf(version.kv)
    if (id === chosenId.current) setCome((before) => withVersions(before, [version]))
    if (version.kv.isKeyBase64 !== true) changed(version.kv.key)
    setNews((before) => new Set([...before, id].slice(-200)))
  })
  useEffect(() => {
    if (news.size === 0) return
    const timer = setTimeout(() => setNews(new Set()), NEWS_MS)
    return () => clearTimeout(timer)
  }, [news])
  const field = useRef<HTMLInputElement>(null)
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key !== '/' || /^(INPUT|TEXTAREA)$/.test((event.target as HTMLElement).tagName)) return
      event.preventDefault()
      field.current?.focus()
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [])
  const { rows, isCut } = rowsOf(tree, root)
  const choose = (child: Child): void => {
    setChosen(child)
    setCome([])
  }
  const level = tree.levels.get(root)
  return (
    <Shell page="store" link={error?.code === 'SESSION_OVER' ? 'over' : link} error={error} warnings={[]} help={HELP}>
      <h1>Store</h1>
      <form
        class="prefix"
        onSubmit={(event) => {
          event.preventDefault()
          const wanted = field.current?.value ?? ''
          history.replaceState(null, '', wanted === '' ? '/store' : `/store?prefix=${encodeURIComponent(wanted)}`)
          setRoot(wanted)
        }}
      >
        <label for="prefix">Keys that begin with</label>
        <input id="prefix" ref={field} type="text" spellcheck={false} autocomplete="off" defaultValue={root} />
        <button type="submit">Go</button>
      </form>
      <div class="columns">
        <section aria-labelledby="keys">
          <h2 id="keys">
            Keys <small>{level === undefined ? '' : `${count(level.count)}, revision ${count(level.revision)}`}</small>
          </h2>
          {level?.count === 0 && <p class="empty">No key begins so.</p>}
          <TreeRows rows={rows} chosen={chosen} news={news} onToggle={toggle} onMore={more} onChoose={choose} />
          {isCut && <p class="notice">▲ {count(ROWS_MAX)} rows are shown; close some, or name a longer prefix.</p>}
        </section>
        <section aria-label="One key" aria-live="polite">
          {chosen === null ? <p class="empty">Choose a key.</p> : <KeyPanel key={idOf(chosen)} child={chosen} come={come} />}
        </section>
      </div>
      <section aria-labelledby="changes">
        <h2 id="changes">Changes since you came</h2>
        <Changes changes={changes} onChoose={choose} />
      </section>
    </Shell>
  )
}

const rootOfAddress = (): string => new URLSearchParams(location.search).get('prefix') ?? ''

interface TreeProps {
  rows: readonly Row[]
  chosen: Child | null
  /** keys that changed just now */
  news: ReadonlySet<string>
  onToggle: (child: Child) => void
  onMore: (level: string) => void
  onChoose: (child: Child) => void
}

function TreeRows({ rows, chosen, news, onToggle, onMore, onChoose }: TreeProps): JSX.Element {
  const [at, setAt] = useState<string | null>(null)
  const tree = useRef<HTMLUListElement>(null)
  const stop = rows.some(({ id }) => id === at) ? at : (rows[0]?.id ?? null)
  const act = ({ kind, child, level }: Row): void => {
    if (kind === 'more' || child === null) onMore(level)
    else if (kind === 'prefix') onToggle(child)
    else onChoose(child)
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    const row = rows.find(({ id }) => id === stop)
    if (row === undefined) return
    const isSwitch = row.kind === 'prefix' && ((event.key === 'ArrowRight' && !row.isOpen) || (event.key === 'ArrowLeft' && row.isOpen))
    if (isSwitch || event.key === 'Enter' || event.key === ' ') act(row)
    else {
      const next = moved(rows, stop, event.key)
      if (next === null) return
      setAt(next)
      tree.current?.querySelectorAll<HTMLElement>('[role="treeitem"]')[rows.findIndex(({ id }) => id === next)]?.focus()
    }
    event.preventDefault()
  }
  return (
    <ul class="tree" role="tree" aria-label="Keys" ref={tree} onKeyDown={onKeyDown}>
      {rows.map((row) => (
        <li
          key={row.id}
          role="treeitem"
          aria-level={row.depth + 1}
          aria-expanded={row.kind === 'prefix' ? row.isOpen : undefined}
          aria-selected={row.kind === 'key' && chosen !== null && row.child !== null && idOf(row.child) === idOf(chosen)}
          tabIndex={row.id === stop ? 0 : -1}
          class={`depth-${Math.min(row.depth, 12)} ${row.kind} ${isNews(row, news) ? 'news' : ''}`}
          onFocus={() => setAt(row.id)}
          onClick={() => {
            setAt(row.id)
            act(row)
          }}
        >
          <span aria-hidden="true">{row.kind === 'prefix' ? (row.isOpen ? '▾ ' : '▸ ') : row.kind === 'key' ? '· ' : '… '}</span>
          <span class="label">{row.label}</span>
          {row.kind === 'prefix' && <small>{count(row.child?.count ?? 0)}</small>}
        </li>
      ))}
    </ul>
  )
}

function isNews({ child, isOpen }: Row, news: ReadonlySet<string>): boolean {
  if (child === null) return false
  const id = idOf(child)
  return child.isPrefix ? !isOpen && [...news].some((key) => key.startsWith(id)) : news.has(id)
}

function Changes({ changes, onChoose }: { changes: readonly Version[]; onChoose: (child: Child) => void }): JSX.Element {
  if (changes.length === 0) return <p class="empty">None yet.</p>
  return (
    <Scroll label="Changes">
      <table>
        <thead>
          <tr>
            <th scope="col" class="number">
              revision
            </th>
            <th scope="col">what</th>
            <th scope="col">key</th>
            <th scope="col">value</th>
          </tr>
        </thead>
        <tbody>
          {changes.map(({ type, revision, kv }) => (
            <tr key={`${revision} ${idOf(kv)}`}>
              <td class="number">{count(revision)}</td>
              <td>{type}</td>
              <td>
                <button
                  type="button"
                  class="plain"
                  onClick={() => onChoose({ key: kv.key, isKeyBase64: kv.isKeyBase64, isPrefix: false, count: 1 })}
                >
                  <code>{kv.key}</code>
                </button>
              </td>
              <td class="what">{kv.value.slice(0, 80)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  )
}
