import { AlertsPage } from '../scuba/alerts-page.tsx'
import { show } from '../shell/shell.tsx'

show(<AlertsPage />)
