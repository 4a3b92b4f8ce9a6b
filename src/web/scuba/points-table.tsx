import type { JSX } from 'preact'
import { Scroll } from '../shell/scroll.tsx'
import { useState } from 'preact/hooks'
import { dateTime } from '../shell/text.ts'
import { valueText } from './numbers.ts'
import type { ChartData } from '../../core/scuba/explore/series.ts'

/** The chart for people without it: its steps, the newest first. Made only when it is opened. */
export function PointsTable({ data }: { data: ChartData }): JSX.Element {
  const [isOpen, setOpen] = useState(false)
  return (
    <details class="twin" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{data.calc} as a table</summary>
      {isOpen && (
        <Scroll label={`${data.calc} by time`} kind="low">
          <table>
            <thead>
              <tr>
                <th scope="col">time</th>
                {data.lines.map(({ key, label }) => (
                  <th key={key} scope="col" class="number">
                    {label}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {data.steps
                .map((step, i) => ({ step, i }))
                .toReversed()
                .map(({ step, i }) => (
                  <tr key={step}>
                    <td>{dateTime(step)}</td>
                    {data.lines.map(({ key, values }) => (
                      <td key={key} class="number">
                        {valueText(values[i], data.calc)}
                      </td>
                    ))}
                  </tr>
                ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </details>
  )
}
