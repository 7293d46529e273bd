package load

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/configs"
)

// WarnOverdue says in front of every report which interim controls are past
// their review: what follows rests on them. Adapters that cannot be read are
// somebody else's to report.
func WarnOverdue(c *cobra.Command) {
	path, _ := c.Flags().GetString("config")
	cfg, _, err := configs.Read(path)
	if err != nil {
		return
	}
	var unread Problems
	set := Adapters(cfg.Adapters.Dir, &unread)
	if set == nil {
		return
	}
	for _, a := range set.All() {
		if a.Overdue(time.Now()) {
			fmt.Fprintf(c.ErrOrStderr(), "byline: warning: adapter %s was to be reviewed by %s: %s is asked to\n", a.Name(), a.Interim().ReviewBy, a.Interim().Owner)
		}
	}
}
