package main

import "github.com/spf13/cobra"

func newMetricsCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "metrics",
		Short: "Print the metrics of the running service, for Prometheus",
		Long: `Prints what GET /metrics on the control socket serves, in the text format of Prometheus: events stored, deliveries,
what waits, dead letters, alarms. For the textfile collector of node_exporter, run it every minute:

  waoutbox metrics >wa.prom.new && mv wa.prom.new /var/lib/node_exporter/wa.prom

Labels are ids of webhooks and words of a fixed set; no address, no chat and no content is among them.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if e.json {
				return usagef("the metrics have a format of their own, and no JSON. For a program that reads JSON: %s", e.command("status --json"))
			}
			b, err := e.connect(cmd.Context(), modeDaemon)
			if err != nil {
				return err
			}
			defer b.close() //nolint:errcheck // there is nothing in it that could be lost
			text, err := b.daemon.Metrics(cmd.Context())
			if err != nil {
				return err
			}
			e.printf("%s", text)
			return nil
		},
	}
}
