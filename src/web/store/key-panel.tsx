import type { JSX } from 'preact'
import { Scroll } from '../shell/scroll.tsx'
import { useEffect, useState } from 'preact/hooks'
import { ApiError, ask } from '../live/api.ts'
import { count } from '../shell/text.ts'
import type { Child } from './key-tree.ts'
import { changeOf, valueText, VERSIONS_SHOWN, withVersions, type Version } from './versions.ts'

interface History {
  versions: Version[]
  oldest: number
  more: boolean
}

/** A key's value, what is known of it, and its versions. `come`: those that came since it is shown. */
export function KeyPanel({ child, come }: { child: Child; come: readonly Version[] }): JSX.Element {
  const [history, setHistory] = useState<History | null>(null)
  const [error, setError] = useState<ApiError | null>(null)
  const [chosen, setChosen] = useState<number | null>(null)
  useEffect(() => {
    let isOver = false
    ask<History>('delos.kv.history', { key: child.key, isKeyBase64: child.isKeyBase64 === true, limit: VERSIONS_SHOWN })
      .then(({ data }) => !isOver && setHistory(data))
      .catch((failed: unknown) => !isOver && setError(failed instanceof ApiError ? failed : new ApiError('INTERNAL', String(failed), '')))
    return () => {
      isOver = true
    }
  }, [child.key, child.isKeyBase64])
  if (error !== null)
    return (
      <p class="notice bad" role="alert">
        ✖ {error.message}. {error.hint}
      </p>
    )
  if (history === null) return <p class="empty">Asking the server …</p>
  const versions = withVersions(history.versions, come)
  const [newest] = versions
  const shown = versions.find(({ revision }) => revision === chosen) ?? newest
  if (newest === undefined || shown === undefined) return <p class="empty">Nothing of this key is kept.</p>
  return (
    <>
      <h2 class="key-name">
        <code>{child.key}</code>
      </h2>
      {newest.type === 'delete' && <p class="notice">▲ It was deleted at revision {count(newest.revision)}.</p>}
      <Facts version={shown} isNewest={shown === newest} />
      {shown.type === 'put' && <Value version={shown} />}
      <h3>Change at revision {count(shown.revision)}</h3>
      <Change versions={versions} revision={shown.revision} />
      <h3>
        History{' '}
        <small>
          {history.more || versions.length === VERSIONS_SHOWN ? `the last ${VERSIONS_SHOWN}` : `from revision ${count(history.oldest)} on`}
        </small>
      </h3>
      <Versions
        versions={versions}
        shown={shown.revision}
        onChoose={(revision) => setChosen(revision === newest.revision ? null : revision)}
      />
    </>
  )
}

function Facts({ version: { type, revision, kv }, isNewest }: { version: Version; isNewest: boolean }): JSX.Element {
  const facts = [
    ['shown', isNewest ? 'the newest version' : `as of revision ${count(revision)}`],
    ['version', type === 'delete' ? 'deleted' : count(kv.version)],
    ['created at revision', count(kv.create_revision)],
    ['changed at revision', count(kv.mod_revision)],
    ['lease', kv.lease ?? 'none'],
  ]
  return (
    <dl class="details">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}

function Value({ version }: { version: Version }): JSX.Element {
  const { text, form } = valueText(version.kv)
  return (
    <figure>
      <figcaption>
        value <small>{form}</small>
      </figcaption>
      <pre class="value" tabIndex={0}>
        {text === '' ? <span class="empty">(empty)</span> : text}
      </pre>
    </figure>
  )
}

function Change({ versions, revision }: { versions: readonly Version[]; revision: number }): JSX.Element {
  const hunks = changeOf(versions, revision)
  if (hunks === null) return <p class="empty">The version before is not kept.</p>
  if (hunks.length === 0) return <p class="empty">The value is the same as before.</p>
  return (
    <pre class="diff" tabIndex={0}>
      {hunks.map((hunk) => (
        <div key={hunk.fromLine}>
          <span class="where">
            @@ -{hunk.fromLine} +{hunk.toLine} @@{'\n'}
          </span>
          {hunk.lines.map(({ sign, text }, i) => (
            <span key={i} class={sign === '+' ? 'added' : sign === '-' ? 'removed' : ''}>
              {sign} {text}
              {'\n'}
            </span>
          ))}
        </div>
      ))}
    </pre>
  )
}

interface VersionsProps {
  versions: readonly Version[]
  shown: number
  onChoose: (revision: number) => void
}

function Versions({ versions, shown, onChoose }: VersionsProps): JSX.Element {
  return (
    <Scroll label="Versions">
      <table>
        <thead>
          <tr>
            <th scope="col" class="number">
              revision
            </th>
            <th scope="col">what</th>
            <th scope="col" class="number">
              version
            </th>
            <th scope="col">value</th>
          </tr>
        </thead>
        <tbody>
          {versions.map(({ type, revision, kv }) => (
            <tr key={revision} class={revision === shown ? 'chosen' : ''}>
              <td class="number">
                <button type="button" class="plain" aria-pressed={revision === shown} onClick={() => onChoose(revision)}>
                  {count(revision)}
                </button>
              </td>
              <td>{type}</td>
              <td class="number">{type === 'delete' ? '' : count(kv.version)}</td>
              <td class="what">{kv.value.slice(0, 80)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  )
}
