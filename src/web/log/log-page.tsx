import type { JSX } from 'preact'
import { useCallback, useRef, useState } from 'preact/hooks'
import { ask } from '../live/api.ts'
import type { LogEntry } from '../live/entry.ts'
import { usePoll } from '../live/use-poll.ts'
import { Shell } from '../shell/shell.tsx'
import { count } from '../shell/text.ts'
import { BandChart } from './band.tsx'
import { rangeOf, ZOOMS, type Chain, type ChainLog, type Details, type Zoom } from './chain-band.ts'
import { ENTRIES_SHOWN, withEntries } from './entries.ts'
import { EntryTable, MarkTable, SegmentTable, ServerTable } from './tables.tsx'
import { useControlEntries } from './use-entries.ts'

const CHAIN_MS = 2000
const KV_MS = 1000
/** Entries behind which the chain, or what stands on its axis, is another. */
const CHANGES = /^(delos\.LogMoved|delos\.JoinTokenUsed|sev\.Incident|deploy\.Roll)/
const ZOOM_WORDS: Record<Zoom, string> = { all: 'all', '10000': 'last 10,000', '1000': 'last 1,000', '100': 'last 100' }
const HELP = [
  { keys: '← →', does: 'in the band: from one segment, switch or mark to the next' },
  { keys: 'Enter', does: 'on a mark: its row in the table' },
]

/** The page `log`: of what the logs are made, who keeps them, what happened in them, and what happens now. */
export function LogPage(): JSX.Element {
  const { data, error, refresh } = usePoll('chain', async () => ask<Chain>('delos.log.chain'), CHAIN_MS)
  const chain = data?.data ?? null
  const refreshing = useRef<ReturnType<typeof setTimeout> | null>(null)
  const onType = useCallback(
    (type: string) => {
      if (!CHANGES.test(type) || refreshing.current !== null) return
      refreshing.current = setTimeout(() => {
        refreshing.current = null
        refresh()
      }, 150)
    },
    [refresh],
  )
  const { list, firstNews, link } = useControlEntries(onType)
  const [which, setWhich] = useState<'control' | 'kv'>('control')
  const kv = usePoll(which, async () => (which === 'kv' ? loadKvEntries() : []), KV_MS)
  const control = chain?.logs.find(({ log }) => log === 'control')
  return (
    <Shell page="log" link={error?.code === 'SESSION_OVER' ? 'over' : link} error={error} warnings={data?.warnings ?? []} help={HELP}>
      <h1>Log</h1>
      {chain === null && error === null && <p class="empty">Asking the server …</p>}
      {chain?.logs.map((log) => (
        <LogSection key={log.log} log={log} marks={log.log === 'control' ? chain.marks : []} />
      ))}
      {chain !== null && (
        <section aria-labelledby="servers">
          <h2 id="servers">Servers</h2>
          <ServerTable servers={chain.servers} tail={control?.tail ?? 0} />
        </section>
      )}
      <section aria-labelledby="entries">
        <h2 id="entries">Newest entries</h2>
        <div class="choice" role="group" aria-label="Entries of which log">
          {(['control', 'kv'] as const).map((log) => (
            <button key={log} type="button" aria-pressed={which === log} onClick={() => setWhich(log)}>
              {log}
            </button>
          ))}
        </div>
        <EntryTable
          entries={which === 'control' ? list : withEntries([], kv.data ?? [])}
          now={chain?.now ?? 0}
          firstNews={which === 'control' ? firstNews : Number.POSITIVE_INFINITY}
        />
      </section>
      {chain !== null && (
        <section aria-labelledby="marks">
          <h2 id="marks">Incidents and rollouts</h2>
          <MarkTable marks={chain.marks} />
        </section>
      )}
    </Shell>
  )
}

async function loadKvEntries(): Promise<LogEntry[]> {
  return (await ask<{ entries: LogEntry[] }>('delos.log.ls', { log: 'kv', limit: ENTRIES_SHOWN })).data.entries
}

function LogSection({ log, marks }: { log: ChainLog; marks: Chain['marks'] }): JSX.Element {
  const [zoom, setZoom] = useState<Zoom>('all')
  const [details, setDetails] = useState<Details | null>(null)
  const title = `log-${log.log}`
  return (
    <section aria-labelledby={title}>
      <h2 id={title}>
        {log.log}{' '}
        <small>
          positions {count(log.head)} … {count(log.tail - 1)}, version {log.version}
          {log.lastGapMs !== null && `, ${log.lastGapMs.toFixed(1)} ms without a change at the last switch`}
        </small>
      </h2>
      <div class="choice" role="group" aria-label={`How much of ${log.log} is shown`}>
        {ZOOMS.map((each) => (
          <button key={each} type="button" aria-pressed={zoom === each} onClick={() => setZoom(each)}>
            {ZOOM_WORDS[each]}
          </button>
        ))}
      </div>
      <BandChart log={log} marks={marks} range={rangeOf(log, zoom)} onDetails={setDetails} />
      <DetailsPanel details={details} />
      {log.skips.map(({ position, reason }) => (
        <p class="notice" key={position}>
          ▲ position {count(position)} is skipped: {reason}
        </p>
      ))}
      <SegmentTable log={log} />
    </section>
  )
}

function DetailsPanel({ details }: { details: Details | null }): JSX.Element {
  if (details === null) return <p class="details empty">Point at something in the band, or go there by Tab, for its details.</p>
  return (
    <dl class="details">
      <div>
        <dt>{details.title}</dt>
      </div>
      {details.rows.map(({ name, value }) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}
