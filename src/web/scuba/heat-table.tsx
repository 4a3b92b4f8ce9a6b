import type { JSX } from 'preact'
import { Scroll } from '../shell/scroll.tsx'
import { count } from '../shell/text.ts'
import type { HeatChart } from './heat.ts'
import { short, valueText } from './numbers.ts'

/** A heat map for people without it: how many rows are in which range of values. */
export function HeatTable({ chart, calc }: { chart: HeatChart; calc: string }): JSX.Element {
  const all = chart.bands.reduce((sum, band) => sum + band.count, 0)
  return (
    <details class="twin">
      <summary>{calc.replace('heatmap:', '')} as a table</summary>
      <Scroll label="Ranges of values" kind="low">
        <table>
          <thead>
            <tr>
              <th scope="col" class="number">
                from
              </th>
              <th scope="col" class="number">
                to
              </th>
              <th scope="col" class="number">
                rows
              </th>
              <th scope="col" class="number">
                share
              </th>
            </tr>
          </thead>
          <tbody>
            {chart.bands
              .filter((band) => band.count > 0)
              .toReversed()
              .map((band) => (
                <tr key={band.low}>
                  <td class="number">{valueText(band.low, calc)}</td>
                  <td class="number">{valueText(band.high, calc)}</td>
                  <td class="number">{count(band.count)}</td>
                  <td class="number">{short((band.count / Math.max(1, all)) * 100)} %</td>
                </tr>
              ))}
          </tbody>
        </table>
      </Scroll>
    </details>
  )
}
