import { SloPage } from '../scuba/slo-page.tsx'
import { show } from '../shell/shell.tsx'

show(<SloPage />)
