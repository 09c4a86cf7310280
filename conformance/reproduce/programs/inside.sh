#!/bin/sh
# Runs in the container, as root: sets qmail up as control/, env, users/ and programs/ say, starts the DNS server, the
# exchangers and qmail, plays steps.txt, and compares what was seen with expected.txt.
# Exit status: 0 shown, 1 not shown, 3 the world failed.
set -eu
# Whatever fails on the way is no answer about qmail.
answer=3
trap 'exit $answer' EXIT

HERE=/reproduction
OUT=$HERE/out
STATE=/var/lib/conformance
alias=$(getent passwd alias | cut -d: -f6)
for QMAIL in /var/lib/qmail /var/qmail "${alias%/alias}"; do
  [ ! -x "$QMAIL/bin/qmail-smtpd" ] || break
done
VERIFY=11113
PATH=$QMAIL/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin

trouble() {
  echo "reproduction: $*" >&2
  exit 3
}

for program in qmail-smtpd qmail-remote qmail-queue; do
  [ -x $QMAIL/bin/$program ] || trouble "this image has no $QMAIL/bin/$program"
done
for program in tcpserver perl; do
  command -v $program > /dev/null || trouble "this image has no $program"
done
mkdir -p $OUT $STATE/runs /opt/conformance
ln -sfn "$QMAIL" /opt/conformance/qmail
chmod 0755 $STATE $HERE $OUT
# The image's recipe moves the queue aside, so that it can stand on a file system of its own.
if [ ! -d $QMAIL/queue/mess ] && [ -d /opt/conformance/queue ]; then cp -a /opt/conformance/queue $STATE/queue; fi
[ -d $QMAIL/queue/mess ] || trouble "this image has no queue in $QMAIL/queue"

find $QMAIL/control/ -maxdepth 1 -type f -exec rm -f {} +
for file in "$HERE"/control/*; do
  perl -e 'require "/reproduction/common.pl"; print filled(slurp($ARGV[0]))' "$file" > "$QMAIL/control/${file##*/}"
done
[ ! -f $QMAIL/control/morercpthosts ] || qmail-newmrh
cat $HERE/resolv.conf > /etc/resolv.conf
if [ -f $HERE/remote-program ]; then ln -sf "$HERE/programs/qmail-remote" $QMAIL/bin/qmail-remote; fi
# qmail-remote's table of hosts that timed out, see qmail-tcpto(8).
if [ -f $HERE/timeouts ]; then
  perl -MSocket -ane 'print pack "a4Cx3Vx4", inet_aton($F[0]), $F[1], time - $F[2]' $HERE/timeouts > $QMAIL/queue/lock/tcpto
  perl -e 'print "\0" x (1024 - $ARGV[0])' "$(wc -c < $QMAIL/queue/lock/tcpto)" >> $QMAIL/queue/lock/tcpto
fi

# dot-qmail files name programs by the place that they have in a pod.
for file in "$HERE"/programs/*; do
  if [ ! -e "$STATE/${file##*/}" ]; then ln -s "$file" "$STATE/${file##*/}"; fi
done
: > $STATE/runs/order
chmod 0777 $STATE/runs
chmod 0666 $STATE/runs/order
perl -e 'require "/reproduction/common.pl"; print map { "$_\0" } passwords()' > $STATE/passwords
: > $STATE/smtpd.log
chown -R qmaild $STATE/passwords $STATE/runs $STATE/smtpd.log
chmod 0400 $STATE/passwords

if [ -f $HERE/users/accounts ]; then
  while read -r name uid home; do
    for part in '' /new /cur /tmp; do mkdir -p "$home/Maildir$part"; done
    for file in "$HERE/users/$name"/.qmail*; do
      if [ -f "$file" ]; then cp "$file" "$home/"; fi
    done
    if [ "$name" != alias ]; then chown -R "$uid:2000" "$home"; else chown -R alias "$home"; fi
    chmod 0755 "$home"
  done < $HERE/users/accounts
  if [ -f $HERE/modes ]; then
    while read -r mode path; do
      home=$(while read -r name _ home; do [ "$name" != "${path%%/*}" ] || echo "$home"; done < $HERE/users/accounts)
      case $path in */*) place=$home/${path#*/} ;; *) place=$home ;; esac
      if [ "$mode" = gone ]; then rm -rf "$place"; else chmod "$mode" "$place"; fi
    done < $HERE/modes
  fi
  cp $HERE/users/assign $QMAIL/users/assign
  qmail-newu
fi

perl $HERE/dns.pl || trouble "the DNS server does not start"
perl $HERE/exchanger.pl || trouble "the exchangers do not start"
case $(cat $HERE/services) in
  # Without sbin, where the package has its programs a second time: a qmail-remote that is missing must be.
  *qmail-send*) (cd / && exec env - PATH=$QMAIL/bin:/usr/local/bin:/usr/bin:/bin qmail-start ./Maildir/ > $OUT/send.log 2>&1 & echo $! > $OUT/send.pid) ;;
esac
case $(cat $HERE/services) in
  *qmail-verify*)
    aliases=
    [ ! -f $HERE/aliases.cdb ] || aliases="VERIFY_FASTFORWARDCDB=$HERE/aliases.cdb"
    # shellcheck disable=SC2086
    (cd / && exec env - PATH="$PATH" $aliases qmail-verify > /dev/null 2>&1 &)
    ;;
  *mute*) perl -MSocket -e 'socket S, PF_INET, SOCK_DGRAM, 0; bind S, sockaddr_in(shift, INADDR_LOOPBACK); exit if fork; sleep' $VERIFY ;;
esac
case $(cat $HERE/services)$([ -x $QMAIL/bin/qmail-verify ] || echo ', not here') in
  *not\ here) ;;    # a build without VERIFY has no such program
  *qmail-verify*)
    tries=0
    until grep -q ": 0100007F:$(printf %04X $VERIFY) " /proc/net/udp; do
      tries=$((tries + 1))
      [ $tries -le 100 ] || trouble "qmail-verify does not start"
      sleep 0.05
    done
    ;;
esac
(cd / && exec env - PATH="$PATH" tcpserver -H -R -l0 -b 200 -c 200 -u "$(id -u qmaild)" -g "$(id -g qmaild)" \
  127.0.0.1 25 /bin/sh $HERE/smtpd.sh > /dev/null 2>&1 &)

perl $HERE/play.pl || trouble "the steps could not be played"
if [ -s $STATE/smtpd.log ] || [ -s $OUT/send.log ]; then
  echo
  echo "qmail's log:"
  cat $STATE/smtpd.log $OUT/send.log 2> /dev/null | sed 's/[^[:print:]]/?/g; s/^/  /'
fi
echo
if diff $HERE/expected.txt $OUT/seen.txt > $OUT/difference; then
  answer=0
  echo "shown: every line is as recorded"
else
  answer=1
  echo "not shown: < as recorded, > as seen now"
  grep '^[<>]' $OUT/difference | cut -c 1-200 | head -n 40
fi
