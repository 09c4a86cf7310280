read -r pid rest < /proc/self/stat
echo "$pid"
root=$1 python=$2
shift 2
# 0x8914 is SIOCSIFFLAGS: lo is brought up.
perl -MSocket -e 'socket S, PF_INET, SOCK_DGRAM, 0; ioctl S, 0x8914, my $up = pack "a16s", "lo", 1 or die'
for place in /usr /bin /sbin /lib /lib64 /dev "$python"; do
  if [ -h "$place" ]; then ln -sfn "$(readlink "$place")" "$root$place"
  elif [ -d "$place" ]; then mkdir -p "$root$place"; mount --rbind "$place" "$root$place"
  fi
done
mount -t proc proc "$root/proc"
exec chroot --groups=0,64020 "$root" "$@"  # as in a container, root has more groups than one
