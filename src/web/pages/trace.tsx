import { TracePage } from '../scuba/trace-page.tsx'
import { show } from '../shell/shell.tsx'

show(<TracePage />)
