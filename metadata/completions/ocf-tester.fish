complete -c ocf-tester -s n -d 'The resource\'s name [default: test]' -r
complete -c ocf-tester -s o -d 'A parameter; may be repeated' -r
complete -c ocf-tester -l only -d 'Only these checks' -r
complete -c ocf-tester -l skip -d 'All checks but these' -r
complete -c ocf-tester -l stress -d 'Instead of the checks: calls in random order, for so long' -r
complete -c ocf-tester -l seed -d 'Repeat a random order' -r
complete -c ocf-tester -l repeat -d 'Everything so many times' -r
complete -c ocf-tester -l timeout -d 'No action gets more time, whatever it advertises' -r
complete -c ocf-tester -l format -d 'text, tap, junit, json, html or github' -r -f -a "text\t''
tap\t''
junit\t''
json\t''
html\t''
github\t''"
complete -c ocf-tester -l compare -d 'What has changed since this report of --format json' -r
complete -c ocf-tester -l color -d 'auto, always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c ocf-tester -l explain -d 'A check: the rule, where it is from, how to keep it' -r
complete -c ocf-tester -l matrix -d 'Run once for each set of parameters in a TOML file' -r -F
complete -c ocf-tester -l meta-data-only -d 'Only what they say of themselves; AGENT may be several, or a directory'
complete -c ocf-tester -l strict -d 'A warning is a failure'
complete -c ocf-tester -l stub-cluster -d 'Answer crm_attribute and the like, where no cluster runs'
complete -c ocf-tester -l force -d 'Test although the resource seems to be in use'
complete -c ocf-tester -s d -d 'Let the agent log for debugging (HA_debug)'
complete -c ocf-tester -s X -d 'Let the agent trace itself (OCF_TRACE_RA), and -v'
complete -c ocf-tester -s v -d 'Every check, with the reasons of skips'
complete -c ocf-tester -s q -d 'Only failures'
complete -c ocf-tester -l trace -d 'Each call with its environment and output, on stderr'
complete -c ocf-tester -l list -d 'The checks, one a line'
complete -c ocf-tester -s h -l help -d 'This text'
complete -c ocf-tester -l version -d 'The version'
