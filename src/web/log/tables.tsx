import type { JSX } from 'preact'
import type { LogEntry } from '../live/entry.ts'
import { Scroll } from '../shell/scroll.tsx'
import { ago, clockTime, count, dateTime } from '../shell/text.ts'
import { anchorOf, positionsOf, type Chain, type ChainLog, type ChainMark } from './chain-band.ts'
import { entryText } from './entries.ts'

/** The band for people without it: the same segments and switches. */
export function SegmentTable({ log }: { log: ChainLog }): JSX.Element {
  return (
    <Scroll label="Segments">
      <table>
        <thead>
          <tr>
            <th scope="col">loglet</th>
            <th scope="col">kind</th>
            <th scope="col">state</th>
            <th scope="col">positions</th>
            <th scope="col">where</th>
            <th scope="col">since</th>
            <th scope="col">by</th>
          </tr>
        </thead>
        <tbody>
          {log.segments.map((segment, i) => (
            <tr key={segment.loglet}>
              <td>
                <code>{segment.loglet}</code>
              </td>
              <td>
                <span class={`swatch ${segment.kind}`} /> {segment.kind}
              </td>
              <td>{segment.end === null ? '▸ open' : 'sealed'}</td>
              <td>{positionsOf(segment)}</td>
              <td>{segment.where}</td>
              <td>{segment.moved === null ? (i === 0 ? 'the beginning kept' : 'not noted') : dateTime(segment.moved.at)}</td>
              <td>{segment.moved?.actor ?? ''}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  )
}

export function MarkTable({ marks }: { marks: readonly ChainMark[] }): JSX.Element {
  if (marks.length === 0) return <p class="empty">No incident and no rollout yet.</p>
  return (
    <Scroll label="Incidents and rollouts">
      <table>
        <thead>
          <tr>
            <th scope="col">what</th>
            <th scope="col">title</th>
            <th scope="col">state</th>
            <th scope="col">from</th>
            <th scope="col">to</th>
            <th scope="col">began</th>
          </tr>
        </thead>
        <tbody>
          {marks.toReversed().map((mark) => (
            <tr key={anchorOf(mark)} id={anchorOf(mark)}>
              <td>
                <span class={`swatch ${mark.kind}`} /> {mark.kind} {mark.id}
              </td>
              <td>{mark.title}</td>
              <td>{mark.state}</td>
              <td class="number">{count(mark.from)}</td>
              <td class="number">{mark.to === null ? '…' : count(mark.to)}</td>
              <td>{dateTime(mark.at)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  )
}

export function ServerTable({ servers, tail }: { servers: Chain['servers']; tail: number }): JSX.Element {
  return (
    <Scroll label="Servers">
      <table>
        <thead>
          <tr>
            <th scope="col">server</th>
            <th scope="col">role</th>
            <th scope="col">reached</th>
            <th scope="col" class="number">
              applied to
            </th>
            <th scope="col" class="number">
              behind
            </th>
          </tr>
        </thead>
        <tbody>
          {servers.map(({ id, name, role, leads, isSelf, trouble, lag, applied }) => (
            <tr key={id}>
              <td>
                {name} {isSelf && <small>(answers here)</small>}
              </td>
              <td>{leads ? `★ leader, ${role}` : role}</td>
              <td class={trouble === null ? 'good' : 'bad'}>{trouble === null ? '● yes' : `✖ ${trouble}`}</td>
              <td class="number">{applied === null ? '–' : count(applied - 1)}</td>
              <td class="number">{lag === null || applied === null ? '–' : count(tail - applied)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  )
}

export function EntryTable({ entries, now, firstNews }: { entries: readonly LogEntry[]; now: number; firstNews: number }): JSX.Element {
  if (entries.length === 0) return <p class="empty">No entry yet.</p>
  return (
    <Scroll label="Newest entries">
      <table class="entries">
        <thead>
          <tr>
            <th scope="col" class="number">
              position
            </th>
            <th scope="col">time</th>
            <th scope="col">type</th>
            <th scope="col">actor</th>
            <th scope="col">what</th>
          </tr>
        </thead>
        <tbody>
          {entries.map((entry) => (
            <tr key={entry.position} class={entry.position >= firstNews ? 'news' : ''}>
              <td class="number">{count(entry.position)}</td>
              <td title={dateTime(entry.at)}>
                {clockTime(entry.at)} <small>{ago(entry.at, now)}</small>
              </td>
              <td>
                <code>{entry.type}</code>
              </td>
              <td>{entry.actor}</td>
              <td class="what">{entryText(entry)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  )
}

/** Wide tables scroll by themselves, by keys too. */
